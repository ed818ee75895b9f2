"""A recurrent variational autoencoder of phrases: a space of music that can be walked through (needs no prompt to).

Kingma and Welling 2014 ("Auto-encoding variational Bayes"): each phrase x has a place z in a space of standard normal
draws, an encoder says where it may lie, q(z | x), a decoder what is played there, p(x | z), and both learn by a lower
bound of the likelihood,

    log p(x) >= E[log p(x | z)] - KL(q(z | x) || p(z)),    z drawn from q(z | x).

After Roberts et al. 2018 ("A hierarchical latent vector model for learning long-term structure in music", MusicVAE): a
bidirectional LSTM reads the phrase, and the decoder is hierarchical, a conductor that goes from bar to bar and an LSTM
that goes through the steps of each bar from what the conductor gives it. As there, the loss may weigh the KL by
`beta` and leave the first `free` nats of it alone (Higgins et al. 2017; Kingma et al. 2016), else z is not used. What
is done differently:

- The cells of a grid are independent given z: no step is told what was drawn at the step before. MusicVAE's decoder is
  autoregressive, which makes single melodies crisper, but lets it go its own way without z (the paper's "posterior
  collapse") and makes an interpolation or an attribute a matter of chance. Here what z holds is what is heard, a phrase
  takes one run of one graph, and the price is that whatever z does not say is drawn cell by cell.
- With `beta` far below 1, as there, all phrases together do not lie as the standard normal says, and most of what it
  draws is nobody's place. So it is fitted to where they do lie, with a mean and a covariance, and from that
  distribution the model plays (Ghosh et al. 2020, "From variational to deterministic autoencoders"); with it as p(z)
  the bound holds as well, and is higher.
- The encoder hears from every step rather than from the LSTM's last state alone, and the conductor gives the decoder a
  plan for every step rather than a state for the bar alone: short ways, by which it learns in minutes.
- Any number of voices, as a grid; MusicVAE has one melody, or three tracks of one voice each.
- Directions of attributes, like the prior, are measured while it learns (means over the latest few hundred updates),
  not in a pass afterwards.

Leaves out: loudness, tempo, phrases of several lengths.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from partimento.attributes import ATTRIBUTES, measure
from partimento.codec import RollSpec
from partimento.exporting import OnnxGraph, recurrent_weights
from partimento.layers import arrays_of, cell_log_probability, load_into, require_cells
from partimento.model import Batch, Model
from partimento.settings import settings

NEAR = 0.1  # the deviation of q(z | x) before anything is learnt; from 1 it would learn to ignore z first
LEAST = 1e-4  # the least deviation
RENEWED = 0.01  # how much of what is known of the space each update renews
ROUNDING = 1e-6  # share of the mean variance that is added to each, above what float32 leaves in doubt
ABREAST = 256  # phrases that are judged at once
Positive = Annotated[int, Field(ge=1)]


class Encoder(nn.Module):
    """Where a phrase lies: an LSTM from both ends, and what each step has to say once both have been there."""

    def __init__(self, steps: int, cells: int, width: int, step: int, latent: int) -> None:
        super().__init__()
        self.cell = nn.LSTM(cells, width, batch_first=True, bidirectional=True)
        self.step = nn.Linear(2 * width + cells, step)
        self.place = nn.Linear(steps * step, 2 * latent)
        _start_cell(self.cell)
        with torch.no_grad():
            self.place.weight[latent:] *= 0.1
            self.place.bias[latent:] = math.log(math.expm1(NEAR))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Phrases (B, T, C, P) -> mean and deviation, (B, Z) each."""
        x = x.flatten(2)
        h, _ = self.cell(x)  # (B, T, 2 H)
        told = self.step(torch.cat([h, x.to(h.dtype)], -1))  # (B, T, S)
        mean, spread = self.place(told.flatten(1)).float().chunk(2, -1)
        return mean, functional.softplus(spread) + LEAST


class Decoder(nn.Module):
    """What is played at a place: a conductor from bar to bar, and an LSTM through the steps that it plans for each."""

    def __init__(self, latent: int, conductor: int, step: int, width: int, shape: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.shape = shape  # bars, steps of a bar, C, P
        _, bar, *cells = shape
        self.begin = nn.Linear(latent, 2 * conductor)
        self.conductor = nn.LSTM(latent, conductor, batch_first=True)
        self.plan = nn.Linear(conductor, bar * step)
        self.bar = nn.Linear(conductor, 2 * width)
        self.cell = nn.LSTM(step, width, batch_first=True)
        self.head = nn.Linear(width + step, cells[0] * cells[1])
        for cell in (self.conductor, self.cell):
            _start_cell(cell)
        with torch.no_grad():
            self.head.bias[-cells[1] :] = -3.0  # few cells sound

    def forward(self, z: Tensor) -> Tensor:
        """Places (B, Z) -> logits (B, T, C, P)."""
        bars, bar, *cells = self.shape
        told, _ = self.conductor(z[:, None].expand(-1, bars, -1), _state(self.begin(z)))
        told = told.flatten(0, 1)  # (B * bars, W)
        plan = self.plan(told).unflatten(1, (bar, -1))
        h, _ = self.cell(plan, _state(self.bar(told)))
        logits: Tensor = self.head(torch.cat([h, plan], -1)).view(len(z), bars * bar, *cells)
        return logits


class Prior(nn.Module):
    """Where phrases lie at all: the normal distribution of all z that were drawn of late, any mean, any covariance."""

    mean: Tensor
    square: Tensor
    doubt: Tensor

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(latent))
        self.register_buffer("square", torch.eye(latent))  # the mean of z z'
        self.register_buffer("doubt", torch.ones(latent))  # the mean of what q(z | x) leaves open, as a variance

    def learn(self, mean: Tensor, deviation: Tensor) -> None:
        """Take note of where phrases lie, as q(z | x) with these (B, Z) says."""
        with torch.autocast(mean.device.type, enabled=False):
            doubt = (deviation**2).mean(0)
            square = mean.T @ mean / len(mean) + torch.diag(doubt)
            for kept, new in ((self.mean, mean.mean(0)), (self.square, square), (self.doubt, doubt)):
                kept += RENEWED * (new - kept)

    def whitening(self) -> Tensor:
        """W (Z, Z), lower triangular: W (z - mean) is standard normal."""
        covariance = self.square.double() - torch.outer(self.mean, self.mean).double()
        covariance.diagonal().add_(ROUNDING * covariance.diagonal().mean())
        whitening: Tensor = torch.linalg.inv(torch.linalg.cholesky(covariance)).float()
        return whitening

    def axes(self) -> Tensor:
        """W (Z, Z) with W (z - mean) standard normal and each of its coordinates in doubt for itself alone.

        Turned so that what q(z | x) leaves open has, on average, no covariance; first comes what is known best.
        """
        whitening = self.whitening().double()
        _, turned = torch.linalg.eigh(whitening @ torch.diag(self.doubt.double()) @ whitening.T)
        axes: Tensor = (turned.T @ whitening).float()
        return axes

    def divergence(self, mean: Tensor, deviation: Tensor) -> Tensor:
        """(B,) nats: the KL divergence of normal distributions, (B, Z) each, from this one."""
        with torch.autocast(mean.device.type, enabled=False):
            whitening = self.whitening()
            white = (mean - self.mean) @ whitening.T
            spread = deviation**2 @ (whitening**2).T  # the variance of each white coordinate
            volume = whitening.diagonal().log().sum() + deviation.log().sum(-1)
            nats: Tensor = 0.5 * (white**2 + spread - 1).sum(-1) - volume
            return nats


def _state(h: Tensor) -> tuple[Tensor, Tensor]:
    """The hidden state and the memory, (1, B, H), that a cell begins with, from h (B, 2 H)."""
    hidden, memory = torch.tanh(h).chunk(2, -1)
    return hidden[None].contiguous(), memory[None].contiguous()


def _start_cell(cell: nn.LSTM) -> None:
    """Recurrent weights orthogonal (Saxe et al. 2014); at first it forgets little (Jozefowicz et al. 2015)."""
    with torch.no_grad():
        for name, weights in cell.named_parameters():
            if name.startswith("weight_hh"):
                for block in torch.split(weights, cell.hidden_size):
                    nn.init.orthogonal_(block)
            elif name.startswith("bias"):
                weights.zero_()
                weights[cell.hidden_size : 2 * cell.hidden_size] = float(name.startswith("bias_ih"))


class Vae(nn.Module, Model):
    """A space of phrases and the ways into and out of it."""

    name: ClassVar[str] = "vae"
    player: ClassVar[str] = "graph"
    Spec: ClassVar[type[Any]] = RollSpec
    exact: ClassVar[bool] = False
    attributes: ClassVar[tuple[str, ...]] = ATTRIBUTES
    directions: Tensor
    seen: Tensor

    @settings
    class Settings:
        """The phrases and the shape of the network."""

        steps: Positive = 32
        """Steps of a phrase; 32 are two bars of sixteenths."""
        align: Positive = 16
        """Steps of a bar; phrases begin with one."""
        latent: Positive = 128
        """Dimensions of the space of phrases."""
        encoder: Positive = 128
        """Size of the LSTM that reads a phrase, from either end."""
        conductor: Positive = 256
        """Size of the LSTM that goes from bar to bar."""
        decoder: Positive = 128
        """Size of the LSTM that goes from step to step."""
        step: Positive = 64
        """Numbers by which each step tells where the phrase lies, and by which the conductor plans each step."""
        prior: Literal["fitted", "standard"] = "fitted"
        """What z is drawn from where nothing is heard: a normal distribution fitted to all phrases, or the standard."""
        beta: Annotated[float, Field(ge=0)] = 0.2
        """What a nat of KL costs in the loss; 1 makes it the bound itself, less hears phrases more exactly."""
        free: Annotated[float, Field(ge=0)] = 0.0
        """Nats of KL of a phrase that cost nothing."""
        warmup: Annotated[int, Field(ge=0)] = 1000
        """Updates over which `beta` rises from nothing; before the decoder has found out what z is for, it is cheap."""

        def __post_init__(self) -> None:
            if self.steps % self.align:
                raise ValueError(f"steps must be whole bars: a multiple of align = {self.align}")

    def __init__(self, settings: Settings, spec: RollSpec) -> None:
        super().__init__()
        self.spec = require_cells(spec, self.name)
        self.settings = settings
        self.steps, self.align = settings.steps, settings.align
        s, cells = settings, (spec.channels, spec.pitches)
        self.encoder = Encoder(s.steps, cells[0] * cells[1], s.encoder, s.step, s.latent)
        self.decoder = Decoder(s.latent, s.conductor, s.step, s.decoder, (s.steps // s.align, s.align, *cells))
        self.prior = Prior(s.latent)
        self.register_buffer("directions", torch.zeros(len(ATTRIBUTES), settings.latent))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))  # updates learnt from

    def sides(self) -> dict[str, list[nn.Parameter]]:
        """One side: all parameters."""
        return {"model": list(self.parameters())}

    def loss(self, batch: Batch, side: str = "model") -> dict[str, Tensor]:  # noqa: ARG002 - there is one
        """Nats a frame: "reconstruction", "kl" from the standard normal, and "loss" as `beta` and `free` weigh it."""
        batch = self._phrases(batch)
        weight = batch.mask.float() if batch.weight is None else batch.mask * batch.weight
        mean, deviation = self.encoder(batch.x)
        if self.training:
            self._survey(batch.x, mean.detach(), deviation.detach())
        nats = self.nats(batch.x, mean + deviation * torch.randn_like(mean))  # (B, T)
        divergence = 0.5 * (mean**2 + deviation**2 - 1 - 2 * deviation.log()).sum(-1)  # (B,) from the standard normal
        dear = (divergence - self.settings.free).clamp(min=0)
        frames = weight.sum().clamp(min=1e-9)
        share = weight.sum(1) / batch.mask.sum(1).clamp(min=1)  # how much each phrase counts
        reconstruction, kl, cost = (part.sum() / frames for part in (nats * weight, share * divergence, share * dear))
        loss = reconstruction + self._beta() * cost
        return {"loss": loss, "reconstruction": reconstruction, "kl": kl}

    def _beta(self) -> float:
        """The weight of the KL now."""
        beta, warmup = self.settings.beta, self.settings.warmup
        return beta * min(1.0, float(self.seen) / warmup) if self.training and warmup else float(beta)

    def log_likelihood(self, batch: Batch) -> Tensor:
        """(B,) nats: the lower bound, KL in full, of all that is predicted in each window.

        z is drawn once for each phrase, always the same for the same place in the batch. A longer window is cut into
        phrases.
        """
        phrases = self._phrases(batch)
        found = []
        for first in range(0, len(phrases.x), ABREAST):
            x, mask = phrases.x[first : first + ABREAST], phrases.mask[first : first + ABREAST]
            mean, deviation = self.encoder(x)
            draw = torch.randn(mean.shape, generator=torch.Generator().manual_seed(first)).to(mean)
            nats = (self.nats(x, mean + deviation * draw) * mask).sum(1)
            found.append(-nats - torch.where(mask.any(1), self.prior.divergence(mean, deviation), 0.0))
        return torch.cat(found).view(len(batch.x), -1).sum(1)

    def nats(self, x: Tensor, z: Tensor) -> Tensor:
        """(B, T) nats of each frame of phrases (B, T, C, P), played at places (B, Z)."""
        return -cell_log_probability(self.decoder(z), x).sum(-1)

    def _phrases(self, batch: Batch) -> Batch:
        """Windows cut into phrases end to end, the last of each filled up with silence."""
        missing = -batch.mask.shape[1] % self.steps
        x = functional.pad(batch.x, (0, 0, 0, 0, 0, missing)).reshape(-1, self.steps, *batch.x.shape[2:])
        rows = [
            functional.pad(row, (0, missing)).reshape(-1, self.steps)
            for row in (batch.mask, batch.weight)
            if row is not None
        ]
        return Batch(x, rows[0], None, rows[1] if len(rows) > 1 else None)

    def _survey(self, x: Tensor, mean: Tensor, deviation: Tensor) -> None:
        """Renew what is known of the space: the prior, and the directions of attributes.

        A direction is the mean place of the upper quarter of the phrases less that of the lower.
        """
        self.seen += 1
        if self.settings.prior == "fitted":
            self.prior.learn(mean, deviation)
        found = measure(x.cpu().numpy(), self.spec)
        sounding = np.flatnonzero(~np.isnan(found[:, 0]))
        quarter = len(sounding) // 4
        if not quarter:
            return
        order = sounding[np.argsort(found[sounding], axis=0, kind="stable")]  # (N, A)
        low, high = order[:quarter], order[-quarter:]  # (N / 4, A)
        differ = np.take_along_axis(found, high, 0).mean(0) > np.take_along_axis(found, low, 0).mean(0)
        least, most, told = (torch.from_numpy(array).to(mean.device) for array in (low, high, differ))
        new = (mean[most].mean(0) - mean[least].mean(0)) * told[:, None]  # (A, Z)
        self.directions += (new - self.directions) * max(RENEWED, 1 / int(self.seen))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Every weight and the attributes' directions by name."""
        return arrays_of(self)

    def load_arrays(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take back what `arrays` gave; refuse the weights of another network."""
        load_into(self, arrays)

    def export(self, folder: Path) -> str:
        """Write the ways into and out of the space as ONNX graphs, and `player.json`, for the player `graph`.

        The player's z is white: standard normal where nothing is heard, so that whatever the prior is, it walks alike.
        """
        s, spec = self.settings, self.spec
        axes = self.prior.axes()
        x, z = ("B", s.steps, spec.channels, spec.pitches), ("B", s.latent)
        encoder = _encoder_graph(self.encoder, axes, self.prior.mean)
        encoder.write(folder / "encode.onnx", {"x": x}, {"mean": z, "deviation": z})
        decoder = _decoder_graph(self.decoder, axes, self.prior.mean, spec)
        decoder.write(folder / "decode.onnx", {"z": z}, {"logits": x})
        directions = (self.directions @ axes.T).cpu().double().numpy()
        facts = {
            "player": self.player,
            "latent": s.latent,
            "steps": s.steps,
            "channels": spec.channels,
            "pitches": spec.pitches,
            "align": s.align,
            "attributes": {name: to.tolist() for name, to in zip(ATTRIBUTES, directions, strict=True) if to.any()},
        }
        (folder / "player.json").write_text(json.dumps(facts, indent=1))
        return self.player


class _Graph(OnnxGraph):
    """A graph of LSTMs that run through whole phrases."""

    def split(self, h: str, first: str, second: str) -> None:
        """Cut h (B, 2 H) into two halves of these names."""
        self.node("Split", [h], [first, second], axis=1, num_outputs=2)

    def lstm(self, h: str, cell: nn.LSTM, state: str | None = None) -> str:
        """Run h (T, B, H) through a cell that begins with state (B, 2 W), or 0; gives (T, B, W), 2 W of two ways."""
        begin: list[str] = []
        if state is not None:
            halves = f"{state}_hidden", f"{state}_memory"
            self.split(self.op("Tanh", state), *halves)
            begin = ["", *(self.op("Unsqueeze", half, np.array([0])) for half in halves)]
        direction = "bidirectional" if cell.bidirectional else "forward"
        options: dict[str, Any] = {"hidden_size": cell.hidden_size, "direction": direction}
        every = self.op("LSTM", h, *recurrent_weights(cell), *begin, **options)  # (T, ways, B, W)
        return self.reshape(self.op("Transpose", every, perm=[0, 2, 1, 3]), 0, 0, -1)


def _encoder_graph(encoder: Encoder, axes: Tensor, middle: Tensor) -> _Graph:
    """The graph from x (B, T, C, P) to mean and deviation, (B, Z), of the white z."""
    steps = encoder.place.in_features // encoder.step.out_features
    graph = _Graph()
    x = graph.op("Transpose", graph.reshape("x", 0, steps, -1), perm=[1, 0, 2])
    h = graph.lstm(x, encoder.cell)
    told = graph.affine(graph.op("Concat", h, x, axis=2), encoder.step.weight, encoder.step.bias)
    told = graph.reshape(graph.op("Transpose", told, perm=[1, 0, 2]), 0, -1)
    graph.split(graph.affine(told, encoder.place.weight, encoder.place.bias), "place", "spread")
    graph.affine("place", axes, -axes @ middle, name="mean")
    deviation = graph.op("Add", graph.op("Softplus", "spread"), np.array(LEAST, np.float32))
    variance = graph.op("MatMul", graph.op("Mul", deviation, deviation), (axes**2).T)
    graph.op("Sqrt", variance, name="deviation")
    return graph


def _decoder_graph(decoder: Decoder, axes: Tensor, middle: Tensor, spec: RollSpec) -> _Graph:
    """The graph from the white z (B, Z) to logits (B, T, C, P)."""
    bars, bar, *_ = decoder.shape
    graph = _Graph()
    z = graph.affine("z", torch.linalg.inv(axes.double()).float(), middle)
    repeated = graph.op("Expand", graph.op("Unsqueeze", z, np.array([0])), np.array([bars, 1, 1]))
    begin = graph.affine(z, decoder.begin.weight, decoder.begin.bias)
    told = graph.lstm(repeated, decoder.conductor, begin)  # (bars, B, W)
    told = graph.reshape(graph.op("Transpose", told, perm=[1, 0, 2]), -1, decoder.conductor.hidden_size)
    plan = graph.affine(told, decoder.plan.weight, decoder.plan.bias)
    plan = graph.reshape(plan, -1, bar, decoder.cell.input_size)
    plan = graph.op("Transpose", plan, perm=[1, 0, 2])  # (bar, B * bars, S)
    h = graph.lstm(plan, decoder.cell, graph.affine(told, decoder.bar.weight, decoder.bar.bias))
    logits = graph.affine(graph.op("Concat", h, plan, axis=2), decoder.head.weight, decoder.head.bias)
    whole = (bars * bar, spec.channels, spec.pitches)
    graph.reshape(graph.op("Transpose", logits, perm=[1, 0, 2]), -1, *whole, name="logits")
    return graph
