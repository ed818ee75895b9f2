"""The RNN-RBM: a restricted Boltzmann machine for each frame, its biases given by a recurrent network.

Boulanger-Lewandowski, Bengio and Vincent 2012 ("Modeling temporal dependencies in high-dimensional sequences:
application to polyphonic music generation and transcription", arXiv:1206.6392). The recurrent network reads the frames,

    u(t) = tanh(b_u + W_uu u(t-1) + W_vu v(t)),    u(0) = 0,

and shifts the biases of the machine over the next one:

    b_v(t) = b_v + W_uv u(t-1),    b_h(t) = b_h + W_uh u(t-1).

So the frames before decide which chords are likely, and the machine, unlike a row of independent pitches, knows which
pitches belong together. It learns by contrastive divergence through time: the loss is the mean over frames of
F(v(t)) - F(v'(t)), v'(t) being k times of Gibbs sampling from v(t) given the frames before, taken as given.

What is done differently: the recurrent weights begin at the usual size rather than at 1e-4, visible biases at nearly
silent, and cells have three states (see `boltzmann`). Leaves out: pretraining of the two parts, and the likelihood,
which `boltzmann.log_partition` can estimate, frame by frame.
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
from partimento.layers import arrays_of, cell_log_probability, load_into, require_cells
from partimento.model import Batch, Model
from partimento.settings import settings


class RnnRbm(nn.Module, Model):
    """A recurrent network that sets the biases of a restricted Boltzmann machine, frame by frame."""

    name: ClassVar[str] = "rnn_rbm"
    player: ClassVar[str] = "gibbs"
    Spec: ClassVar[type[Any]] = RollSpec
    figure: ClassVar[str] = "nats of pseudo-likelihood a frame"

    @settings
    class Settings:
        """The sizes of the two parts, and how the machine samples while it learns."""

        hidden: Annotated[int, Field(ge=1)] = 150
        """Hidden units of the machine."""
        state: Annotated[int, Field(ge=1)] = 100
        """Units of the recurrent network."""
        gibbs: Annotated[int, Field(ge=1)] = 15
        """How often to sample hidden and visible units in turn, for each update: the k of CD-k."""

    settings: Settings

    def __init__(self, settings: Settings, spec: RollSpec) -> None:
        super().__init__()
        self.spec = spec = require_cells(spec, self.name)
        self.settings = settings
        units = spec.channels * spec.pitches
        self.weight = nn.Parameter(0.01 * torch.randn(spec.channels, spec.pitches, settings.hidden))
        self.visible = nn.Parameter(quiet_biases(spec.channels, spec.pitches).flatten())
        self.hidden = nn.Parameter(torch.zeros(settings.hidden))
        self.reads = nn.RNN(units, settings.state, batch_first=True)
        self.to_visible = nn.Linear(settings.state, units, bias=False)
        self.to_hidden = nn.Linear(settings.state, settings.hidden, bias=False)
        nn.init.normal_(self.to_visible.weight, std=0.01)
        nn.init.normal_(self.to_hidden.weight, std=0.01)

    def machine(self, x: Tensor, mask: Tensor) -> Machine:
        """The machines over the frames of x (B, T, C, P) where mask (B, T) is True, each given the frames before."""
        u, _ = self.reads(x.flatten(2))
        u = torch.cat([torch.zeros_like(u[:, :1]), u[:, :-1]], 1)[mask]  # (N, U): after the frame before
        visible = (self.visible + self.to_visible(u)).view(len(u), *self.weight.shape[:2])
        return Machine(self.weight, visible, self.hidden + self.to_hidden(u))

    def sides(self) -> dict[str, list[nn.Parameter]]:
        """One side: all parameters."""
        return {"model": list(self.parameters())}

    def loss(self, batch: Batch, side: str = "model") -> dict[str, Tensor]:  # noqa: ARG002 - there is one
        """Free energy of the music above that of the chains' frames, and how well it comes back; nats a frame.

        "reconstruction" is what the music is missed by after one pass up and down without sampling. Computed in float32
        whatever the rest is: in bfloat16 the difference of two like energies would be rounding.
        """
        with torch.autocast(batch.x.device.type, enabled=False):
            x = batch.x.float()
            v, machine = x[batch.mask], self.machine(x, batch.mask)  # (N, C, P)
            with torch.no_grad():
                made = machine.chain(v, self.settings.gibbs)
                back = cell_logits(machine.down(torch.sigmoid(machine.up(v))))
                missed = -cell_log_probability(back, v).sum(-1).mean()
            risen = machine.free_energy(v) - machine.free_energy(made)
            count = torch.ones_like(risen) if batch.weight is None else batch.weight[batch.mask]
        return {"loss": (risen * count).sum() / count.sum(), "reconstruction": missed}

    def judge(self, batch: Batch) -> Tensor:
        """(B,) nats, less is better: minus the log probability of each cell given the others of its frame and the past.

        The state is carried along the whole window.
        """
        x = batch.x.float()
        nats = torch.zeros(batch.mask.shape, device=x.device)
        nats[batch.mask] = -self.machine(x, batch.mask).log_pseudolikelihood(x[batch.mask]).sum(1)
        return nats.sum(1)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Every weight by name, float32."""
        return arrays_of(self)

    def load_arrays(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take back what `arrays` gave; refuse the weights of another network."""
        load_into(self, arrays)

    def export(self, folder: Path) -> str:
        """Write `machine.safetensors` and `player.json`, for the player `gibbs`."""
        arrays = self.arrays()
        kept = {name: arrays[name] for name in ("weight", "visible", "hidden")}
        kept |= {
            "to_visible": arrays["to_visible.weight"].T,  # (U, C P)
            "to_hidden": arrays["to_hidden.weight"].T,  # (U, H)
            "read": arrays["reads.weight_ih_l0"].T,  # (C P, U)
            "carry": arrays["reads.weight_hh_l0"].T,  # (U, U)
            "state": arrays["reads.bias_ih_l0"] + arrays["reads.bias_hh_l0"],
        }
        kept = {name: np.ascontiguousarray(array) for name, array in kept.items()}
        safetensors.numpy.save_file(kept, folder / "machine.safetensors")
        facts = {"player": "gibbs", "steps": 1, "align": 1, "pitches": self.spec.pitches}
        (folder / "player.json").write_text(json.dumps(facts))
        return "gibbs"
