"""Restricted Boltzmann machines over the cells of grids: energies, Gibbs sampling, and what can be said of likelihoods.

A machine (Smolensky 1986, Hinton 2002, "Training products of experts by minimizing contrastive divergence") gives
visible units v and hidden units h the energy E(v, h) = -b·v - c·h - v·W·h. Summed over h it is the free energy

    F(v) = -b·v - Σ_j log(1 + exp(c_j + (v W)_j)),    p(v) = exp(-F(v)) / Z.

What is done differently: where a cell has two planes, onset and sustain, its two units are one of three states,
silent, held or struck, as everywhere here (see `layers`); the tutorials draw the planes apart, and give probability to
cells that are struck and do not sound. So all sums over v, and Z, are over grids that there are, and figures compare
with those of other models.

Z cannot be summed. Three ways round it are here: contrastive divergence learns without it (`Machine.chain`); the
pseudo-likelihood (Besag 1975), each cell given all others, needs only sums over one cell; annealed importance sampling
(Neal 2001; for these machines Salakhutdinov and Murray 2008, "On the quantitative analysis of deep belief networks")
estimates Z itself. Its estimate is unbiased for Z, so that log Z comes out too small rather than too large, and a
likelihood too good rather than too bad.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from partimento.codecs.roll import ONSET, SUSTAIN

ROOM = 1 << 20  # numbers that are worked on at once; more do not stay in the cache
SOUNDING, STRUCK = 0.05, 0.3  # share of cells that sound, and of these that are struck, before anything is learnt
STATES = {1: ((0,), (1,)), 2: ((0, 0), (0, 1), (1, 1))}  # of a cell: silent, (held,) struck


class Machine(NamedTuple):
    """One machine, or N of them that share their weights (conditional machines, one a frame).

    Attributes:
        weight: (C, M, H), for each plane and cell.
        visible: (C, M) or (N, C, M) biases.
        hidden: (H,) or (N, H) biases.
    """

    weight: Tensor
    visible: Tensor
    hidden: Tensor

    def up(self, v: Tensor) -> Tensor:
        """The logits (..., H) of the hidden units, given visible ones (..., C, M)."""
        return v.flatten(-2) @ self.weight.flatten(0, 1) + self.hidden

    def down(self, h: Tensor) -> Tensor:
        """The field (..., C, M) on the visible units, given hidden ones (..., H)."""
        return (h @ self.weight.flatten(0, 1).T).view(*h.shape[:-1], *self.weight.shape[:2]) + self.visible

    def free_energy(self, v: Tensor) -> Tensor:
        """F(v), (...,) nats, of v (..., C, M)."""
        return -(v * self.visible).sum((-2, -1)) - functional.softplus(self.up(v)).sum(-1)

    def chain(self, v: Tensor, times: int, generator: torch.Generator | None = None) -> Tensor:
        """Visible units (..., C, M) after so many times of block Gibbs sampling, hidden units first."""
        for _ in range(times):
            h = torch.sigmoid(self.up(v))
            v = draw(cell_logits(self.down(_bernoulli(h, generator))), generator)
        return v

    def log_pseudolikelihood(self, v: Tensor) -> Tensor:
        """Log probability (N, M) of the state of each cell of v (N, C, M), given all other cells."""
        rows = max(1, ROOM // self.weight[0].numel())
        return torch.cat([self._cells_alone(v[first : first + rows], first) for first in range(0, len(v), rows)])

    def _cells_alone(self, v: Tensor, first: int) -> Tensor:
        visible, hidden = self.visible, self.hidden
        if visible.ndim == 3:
            visible, hidden = visible[first : first + len(v)], hidden[first : first + len(v)]
        up = v.flatten(-2) @ self.weight.flatten(0, 1) + hidden  # (N, H)
        share = sum(v[:, plane, :, None] * weight for plane, weight in enumerate(self.weight))
        without = up[:, None] - share  # (N, M, H): the others' share of what the hidden units get
        scores = []
        for state in STATES[v.shape[1]]:
            score, bias = without, torch.zeros((), device=v.device)
            for plane, on in enumerate(state):
                if on:
                    score, bias = score + self.weight[plane], bias + visible[..., plane, :]
            scores.append(functional.softplus(score).sum(-1) + bias)
        which = v.sum(1).long()  # (N, M)
        return torch.stack(scores, -1).log_softmax(-1).gather(-1, which[..., None])[..., 0]


class Annealed(NamedTuple):
    """An estimate of log Z.

    Attributes:
        log_z: (...,) nats, for each machine.
        error: (...,) the standard error of that, from how much the runs differ; trust nothing above 1.
    """

    log_z: Tensor
    error: Tensor


def cell_logits(field: Tensor) -> Tensor:
    """Logits of cells from the field on their units; both (..., C, M).

    With two planes log p is s if held, s + o if struck and 0 if silent, but for a constant: so the cell sounds with
    the log odds s + log(1 + e^o), and is struck, if it sounds, with o.
    """
    if field.shape[-2] == 1:
        return field
    onset, sustain = field[..., ONSET, :], field[..., SUSTAIN, :]
    return torch.stack([onset, sustain + functional.softplus(onset)], -2)


def quiet_biases(channels: int, cells: int) -> Tensor:
    """Visible biases (C, M) of cells of which few sound: where to begin, whatever the music is."""
    struck = math.log(STRUCK / (1 - STRUCK))
    sounds = math.log(SOUNDING / (1 - SOUNDING)) - (math.log1p(math.exp(struck)) if channels > 1 else 0)
    biases = torch.full((channels, cells), sounds)
    if channels > 1:
        biases[ONSET] = struck
    return biases


def draw(logits: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Cells (..., C, M) of 0 and 1 from their logits, struck only where they sound."""
    cells = _bernoulli(torch.sigmoid(logits), generator)
    if logits.shape[-2] > 1:
        cells[..., ONSET, :] *= cells[..., SUSTAIN, :]
    return cells


def log_partition(
    machine: Machine,
    base: Tensor | None = None,
    *,
    chains: int = 100,
    betas: int = 1000,
    generator: torch.Generator | None = None,
) -> Annealed:
    """Estimate log Z by annealed importance sampling.

    Runs start at a machine without weights, whose Z is known, and go to this one over equal steps of β; between, log p
    is (1-β) base·v + β b·v + Σ_j log(1 + exp(β (c + v W)_j)), but for a constant.

    Args:
        machine: one, or N that share their weights.
        base: biases of the machine to start at, of the shape of `machine.visible`: the nearer to the music, the better
            the estimate. The machine's own visible biases if None.
        chains: runs, for each machine.
        betas: steps of β.
        generator: what to draw from.
    """
    base = machine.visible if base is None else base
    v = draw(cell_logits(base.expand(chains, *machine.visible.shape)), generator)  # (R, ..., C, M)
    weight = torch.zeros(v.shape[:-2], dtype=torch.float64, device=v.device)
    before = 0.0
    for step in range(1, betas + 1):
        beta = step / betas
        up = machine.up(v)
        grown = functional.softplus(beta * up) - functional.softplus(before * up)
        weight += grown.sum(-1).double() + (beta - before) * (v * (machine.visible - base)).sum((-2, -1)).double()
        h = _bernoulli(torch.sigmoid(beta * up), generator)
        v = draw(cell_logits(beta * machine.down(h) + (1 - beta) * base), generator)
        before = beta
    known = machine.hidden.shape[-1] * math.log(2) + functional.softplus(cell_logits(base)[..., -1, :]).double().sum(-1)
    mean = weight.logsumexp(0) - math.log(chains)
    error = (weight - mean).exp().std(0) / math.sqrt(chains)
    return Annealed(known + mean, error)


def _bernoulli(p: Tensor, generator: torch.Generator | None) -> Tensor:
    return (torch.rand(p.shape, generator=generator, device=p.device) < p).to(p.dtype)
