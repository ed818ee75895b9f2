"""Muon: its steps turn and do not stretch, are torch's own, and do not depend on what the machine multiplies fast."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from partimento.blocks import Block, Shape
from partimento.training.learning import _between
from partimento.training.muon import ITERATIONS, Muon, turns


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(3, 64, 128), (3, 128, 64), (1, 64, 64)])
def test_what_turns_has_the_directions_of_the_matrix_and_stretches_none(shape: tuple[int, ...]) -> None:
    matrices = drawn(*shape)
    found = turns(matrices)
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    stretched = u.mT @ found @ v.mT  # in the matrix's own directions
    along = torch.diagonal(stretched, dim1=-2, dim2=-1)
    assert found.shape == matrices.shape
    if shape[-1] != shape[-2]:  # a square's smallest direction may be too small to be turned in five steps
        assert along.min() > 0.6
    assert along.max() < 1.25
    assert (stretched - torch.diag_embed(along)).abs().max() < 1e-3
    assert ITERATIONS == 5  # as Jordan et al. have it


def test_what_is_small_is_turned_down_to_a_six_hundredth_of_the_norm() -> None:
    values = torch.logspace(-4, 0, 400)
    values = values / values.norm()
    found = torch.diagonal(turns(torch.diag(values)[None])[0])
    enough = values >= 1 / 600
    assert 0 < enough.sum() < 400
    assert ((found[enough] >= 0.68) & (found[enough] <= 1.21)).all()
    assert ((found[~enough] > values[~enough]) & (found[~enough] < 0.75)).all()


def test_it_makes_the_steps_of_torchs_own() -> None:
    shapes = ((48, 32), (32, 48), (48, 32))
    ours = [nn.Parameter(drawn(*shape, seed=number)) for number, shape in enumerate(shapes)]
    theirs = [nn.Parameter(matrix.detach().clone()) for matrix in ours]
    muon = Muon(ours, lr=0.01, weight_decay=0.05)
    own = torch.optim.Muon(theirs, lr=0.01, weight_decay=0.05, adjust_lr_fn="match_rms_adamw")
    for update in range(20):
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            one.grad = drawn(*one.shape, seed=100 * update + number)
            other.grad = one.grad.clone()
        muon.step()
        own.step()
    for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        moved = (one - drawn(*one.shape, seed=number)).norm()
        assert (one - other).norm() < 0.02 * moved  # theirs computes in 16 bits


def test_a_matrix_without_a_gradient_stays() -> None:
    still, moving = nn.Parameter(drawn(8, 4)), nn.Parameter(drawn(8, 4))
    moving.grad = drawn(8, 4, seed=1)
    muon = Muon([still, moving], lr=0.1, weight_decay=0.1)
    muon.step()
    assert torch.equal(still, drawn(8, 4))
    assert not torch.equal(moving, drawn(8, 4))


def test_matrices_that_one_holds_make_the_steps_of_each() -> None:
    together = nn.Parameter(drawn(24, 8))
    alone = [nn.Parameter(part.clone()) for part in drawn(24, 8).chunk(3)]
    one, other = Muon([together], parts=[3], lr=0.01, weight_decay=0.05), Muon(alone, lr=0.01, weight_decay=0.05)
    for update in range(5):
        together.grad = drawn(24, 8, seed=1 + update)
        for part, grad in zip(alone, drawn(24, 8, seed=1 + update).chunk(3), strict=True):
            part.grad = grad.clone()
        one.step()
        other.step()
    assert torch.allclose(together, torch.cat(alone), atol=1e-6)


def test_queries_keys_and_values_and_gates_are_matrices_of_their_own() -> None:
    block = Block(Shape(width=32, heads=2, context=16))
    cell = nn.LSTM(8, 4, batch_first=True)
    parts = _between(nn.ModuleList([block, cell]))
    assert parts[id(block.queries.weight)] == 3
    assert parts[id(block.out.weight)] == 1
    assert parts[id(cell.weight_hh_l0)] == parts[id(cell.weight_ih_l0)] == 4
