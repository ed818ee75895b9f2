"""Restricted Boltzmann machines over whole phrases, or over single frames.

A window of `steps` frames is one vector of visible units, and hidden units bind them all: Shiebler 2016 ("Musical
TensorFlow, part one: the RBM") after Hinton 2002 (see `boltzmann`). With `steps = 1` it is the machine that
Boulanger-Lewandowski et al. (2012, "Modeling temporal dependencies in high-dimensional sequences") set their recurrent
one beside: it knows which pitches sound together, and nothing of time.

It learns by contrastive divergence (CD-k): the loss F(v) - F(v'), v' being k times of Gibbs sampling from v, has the
gradient of CD-k if v' is taken as given. With `chains` it is *persistent* (Tieleman 2008): v' goes on from update to
update, and so strays further from the music. What the tutorial does otherwise, and was repaired:

- Weights begin small (deviation 0.01); there the mean is 0.01 and the deviation 1, the arguments having changed places.
- The hidden units' probabilities stand in the gradient where the tutorial has samples of them, which only adds noise.
- Visible biases begin at nearly silent, not at half of all cells sounding.

Leaves out: momentum, sparsity targets, and the likelihood, which `boltzmann.log_partition` can estimate.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from partimento.boltzmann import Machine, cell_logits, quiet_biases
from partimento.codec import RollSpec
from partimento.errors import InvalidBundle
from partimento.layers import cell_log_probability, require_cells
from partimento.model import Batch, Model
from partimento.settings import settings


class Rbm(nn.Module, Model):
    """A restricted Boltzmann machine over phrases of one length."""

    name: ClassVar[str] = "rbm"
    player: ClassVar[str] = "gibbs"
    Spec: ClassVar[type[Any]] = RollSpec
    figure: ClassVar[str] = "nats of pseudo-likelihood a frame"

    chain: Tensor

    @settings
    class Settings:
        """The size of the machine, and how it samples while it learns."""

        steps: Annotated[int, Field(ge=1, le=4096)] = 128
        """Frames that are seen as one; 1 is a machine that knows nothing of time."""
        align: Annotated[int, Field(ge=1)] = 16
        """Windows to learn from begin at multiples of this many frames of their piece."""
        hidden: Annotated[int, Field(ge=1)] = 64
        """Hidden units."""
        gibbs: Annotated[int, Field(ge=1)] = 1
        """How often to sample hidden and visible units in turn, for each update: the k of CD-k."""
        chains: Annotated[int, Field(ge=1)] | None = None
        """Chains that go on from one update to the next (persistent contrastive divergence, Tieleman 2008); "none"
        begins them at the music in each update."""

    settings: Settings

    def __init__(self, settings: Settings, spec: RollSpec) -> None:
        super().__init__()
        self.spec = spec = require_cells(spec, self.name)
        self.settings = settings
        self.steps, self.align = settings.steps, settings.align
        cells = settings.steps * spec.pitches
        self.weight = nn.Parameter(0.01 * torch.randn(spec.channels, cells, settings.hidden))
        self.visible = nn.Parameter(quiet_biases(spec.channels, cells).flatten())
        self.hidden = nn.Parameter(torch.zeros(settings.hidden))
        if settings.chains is not None:  # belongs to the run, and is saved with it, but not to the bundle
            silent = torch.zeros(settings.chains, spec.channels, cells, dtype=torch.uint8)
            self.register_buffer("chain", silent)

    def machine(self) -> Machine:
        """The machine with the weights as they are now."""
        return Machine(self.weight, self.visible.view(self.weight.shape[:2]), self.hidden)

    def visibles(self, x: Tensor) -> Tensor:
        """Grids (B, steps, C, P) as visible units (B, C, steps P)."""
        return x.float().transpose(1, 2).flatten(2)

    def sides(self) -> dict[str, list[nn.Parameter]]:
        """One side: all parameters."""
        return {"model": list(self.parameters())}

    def loss(self, batch: Batch, side: str = "model") -> dict[str, Tensor]:  # noqa: ARG002 - there is one
        """Free energy of the music above that of the chain's phrases, nats a phrase, and how well it comes back.

        "reconstruction" is the nats a frame by which the music is missed after one pass up and down without sampling.
        Computed in float32 whatever the rest is: in bfloat16 the difference of two free energies of thousands of nats
        would be rounding.
        """
        with torch.autocast(batch.x.device.type, enabled=False):
            v, machine = self.visibles(batch.x), self.machine()
            with torch.no_grad():
                made = self._go_on(v)
                back = cell_logits(machine.down(torch.sigmoid(machine.up(v))))
                missed = -cell_log_probability(back, v).mean() * self.spec.pitches
            count = _counts(batch)
            loss = (machine.free_energy(v) * count).sum() / count.sum()
            if self.settings.chains is None:
                loss = loss - (machine.free_energy(made) * count).sum() / count.sum()
            else:
                loss = loss - machine.free_energy(made).mean()
        return {"loss": loss, "reconstruction": missed}

    def _go_on(self, v: Tensor) -> Tensor:
        """The chain's phrases for this update."""
        if self.settings.chains is None:
            return self.machine().chain(v, self.settings.gibbs)
        made = self.machine().chain(self.chain.float(), self.settings.gibbs)
        if self.training:
            self.chain.copy_(made)
        return made

    def judge(self, batch: Batch) -> Tensor:
        """(B,) nats, less is better: minus the log probability of each cell given all others of its phrase."""
        nats = -self.machine().log_pseudolikelihood(self.visibles(batch.x))  # (B, steps P)
        nats = nats.view(len(nats), self.steps, -1).sum(2)  # (B, steps)
        return (nats * batch.mask).sum(1)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """`weight` (C, steps P, H), `visible` (C steps P) and `hidden` (H), float32."""
        return {name: value.detach().cpu().numpy() for name, value in self.named_parameters()}

    def load_arrays(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take back what `arrays` gave.

        Raises:
            InvalidBundle: they are the weights of another machine.
        """
        try:
            found = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
            missing, foreign = self.load_state_dict(found, strict=False)
            if foreign or set(missing) - {"chain"}:
                raise RuntimeError("other names")
        except RuntimeError as error:
            raise InvalidBundle("These weights do not belong to the machine that the settings describe.") from error

    def export(self, folder: Path) -> str:
        """Write `machine.safetensors` and `player.json`, for the player `gibbs`."""
        arrays = {name: np.ascontiguousarray(array) for name, array in self.arrays().items()}
        safetensors.numpy.save_file(arrays, folder / "machine.safetensors")
        facts = {"player": "gibbs", "steps": self.steps, "align": self.align, "pitches": self.spec.pitches}
        (folder / "player.json").write_text(json.dumps(facts))
        return "gibbs"


def _counts(batch: Batch) -> Tensor:
    """(B,) how much each window counts: all alike, or by the mean weight of its frames."""
    if batch.weight is None:
        return torch.ones(len(batch.x), device=batch.x.device)
    return (batch.weight * batch.mask).sum(1) / batch.mask.sum(1).clamp(min=1)
