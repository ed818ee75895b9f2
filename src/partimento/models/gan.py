"""A generative adversarial network over phrases of bars: two networks that learn against one another.

A generator makes a phrase from a point z of a normal distribution; a critic tells made phrases from real ones
(Goodfellow et al. 2014). As in MuseGAN (Dong et al. 2018, arXiv:1709.06298) a phrase is a few bars of a piano roll,
made whole: z becomes bars, bars become beats, beats become steps, and a step becomes its cells; the critic goes the
same way back. MuseGAN does this by convolutions whose kernels are as long as their strides; those are what a linear
layer on each block is, and so they are written here. As in BinaryMuseGAN (Dong and Yang 2018, arXiv:1804.09399) the
generator ends in deterministic binary neurons, 1 where the logit is above 0, whose gradient is taken to be that of the
sigmoid (the straight-through estimator, Bengio et al. 2013): so the critic sees nothing that a real roll could not be.
What is done differently:

- One instrument, with onset and sustain; MuseGAN's own generator and noise for each of five tracks fall away.
- Each block also sees its neighbours, so that notes can go on from one to the next, and each level hears z again.
- The critic compares made phrases with real ones in pairs, softplus(D(G(z)) - D(x)) (Jolicoeur-Martineau 2018), and
  the penalties γ/2 |∇D(x)|² and γ/2 |∇D(G(z))|² keep it smooth at both (Mescheder et al. 2018; together: Huang et al.
  2024, "The GAN is dead; long live the GAN!"). MuseGAN has Wasserstein losses with a penalty between the two (Gulrajani
  et al. 2017), for which the critic must learn five times as often.
- Against collapse the critic also sees how much the phrases of a batch differ (Karras et al. 2018), which BinaryMuseGAN
  lacks, and each update reports the spread of what is made: the mean distance of two phrases over that of real ones.
- Each level of the generator says what it knows of the cells, and the three are added (Karras et al. 2020, "output
  skips"): what lasts for a bar is said once.
- The critic sees what is heard: a cell that is held after silence is no note, and is not there.
- No batch normalisation, which ties what is made to what else is in the batch; layers of the generator are normalised.
- What is played is not the generator as it stands, which goes round in circles, but the exponential average of its
  weights (Yazıcı et al. 2019).

There is no likelihood: no one can say how probable a GAN holds a piece, and none of its losses says how well it plays.
Leaves out: hearing a prompt, several instruments, loudness.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from partimento.codec import RollSpec
from partimento.codecs.roll import ONSET, SUSTAIN
from partimento.errors import InvalidBundle
from partimento.exporting import OnnxGraph
from partimento.layers import require_cells
from partimento.model import Batch, Model
from partimento.settings import settings

LEAK = 0.2
BEGIN = (0.0, -3.0)  # logits that cells begin with, struck and sounding: few of a roll sound
SURE = 14.0  # logit of a cell at most: one in a million falls otherwise
KNEE = 0.1  # logit of the generator at which half of that is reached


class Around(nn.Linear):
    """Each block together with the one before and the one after, (B, N, W) -> (B, N, H); nothing beyond the ends."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__(3 * width, out)

    def forward(self, h: Tensor) -> Tensor:
        """See the class."""
        before, after = functional.pad(h[:, :-1], (0, 0, 1, 0)), functional.pad(h[:, 1:], (0, 0, 0, 1))
        found: Tensor = super().forward(torch.cat([before, h, after], -1))
        return found


class Split(nn.Module):
    """A level of the generator: blocks hear their neighbours, fall into parts, and each part hears z again."""

    def __init__(self, width: int, parts: int, latent: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.around = Around(width, width)
        self.norm_again = nn.LayerNorm(width)
        self.parts = nn.Linear(width, parts * width)
        self.hear = nn.Linear(latent, width, bias=False)

    def forward(self, h: Tensor, z: Tensor) -> Tensor:
        """Blocks (B, N, W) and z (B, Z) to parts (B, N * parts, W)."""
        h = h + self.around(functional.leaky_relu(self.norm(h), LEAK))
        parts: Tensor = self.parts(functional.leaky_relu(self.norm_again(h), LEAK))
        heard: Tensor = self.hear(z)  # (B, W)
        return parts.view(len(h), -1, heard.shape[1]) + heard[:, None]


class Say(nn.Module):
    """What a level of the generator says about the cells of its blocks: (B, N, W) to logits (B, N, C * P)."""

    def __init__(self, width: int, cells: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, cells, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        """See the class."""
        logits: Tensor = self.head(functional.leaky_relu(self.norm(h), LEAK))
        return logits / math.sqrt(3)  # three levels have their say


class Generator(nn.Module):
    """From a point to the logits of a phrase's cells: z to bars, to beats, to steps; each level says what it knows."""

    def __init__(self, latent: int, width: int, levels: tuple[int, int, int], cells: tuple[int, int]) -> None:
        super().__init__()
        self.width = width
        self.cells = cells
        bars, beats, steps = levels  # in a phrase, a bar and a beat
        self.blocks = (bars, bars * beats)
        self.bars = nn.Linear(latent, bars * width)
        self.beats = Split(width, beats, latent)
        self.steps = Split(width, steps, latent)
        self.norm = nn.LayerNorm(width)
        self.around = Around(width, width)
        self.say_bars, self.say_beats, self.say_steps = (Say(width, math.prod(cells)) for _ in levels)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                _start(layer)
        self.bias = nn.Parameter(torch.tensor(BEGIN[-cells[0] :])[:, None].repeat(1, cells[1]))

    def forward(self, z: Tensor) -> Tensor:
        """Points z (B, Z) to logits (B, steps, C, P): of the two planes (see `binary`)."""
        bars = self.bars(z).view(len(z), -1, self.width)  # (B, bars, W)
        beats = self.beats(bars, z)  # (B, beats, W)
        steps = self.steps(beats, z)  # (B, steps, W)
        steps = steps + self.around(functional.leaky_relu(self.norm(steps), LEAK))
        logits: Tensor = self.say_steps(steps)  # (B, steps, C * P)
        for said in (self.say_beats(beats), self.say_bars(bars)):  # and holds for each step of the beat or the bar
            logits = (logits.view(*said.shape[:2], -1, said.shape[2]) + said[:, :, None]).flatten(1, 2)
        return logits.view(*logits.shape[:2], *self.cells) + self.bias


class Merge(nn.Module):
    """A level of the critic: parts become blocks, and blocks see their neighbours."""

    def __init__(self, width: int, parts: int) -> None:
        super().__init__()
        self.parts = nn.Linear(parts * width, width)
        self.around = Around(width, width)

    def forward(self, h: Tensor) -> Tensor:
        """Parts (B, N * parts, W) to blocks (B, N, W)."""
        h = functional.leaky_relu(self.parts(h.reshape(len(h), -1, self.parts.in_features)), LEAK)
        return (h + functional.leaky_relu(self.around(h), LEAK)) / math.sqrt(2)


class Critic(nn.Module):
    """From a phrase to a number, higher for a real one: cells to steps, to beats, to bars, to one."""

    def __init__(self, width: int, levels: tuple[int, int, int], cells: tuple[int, int]) -> None:
        super().__init__()
        bars, beats, steps = levels
        self.steps = Around(math.prod(cells), width)
        self.beats = Merge(width, steps)
        self.bars = Merge(width, beats)
        self.phrase = nn.Linear(bars * width, width)
        self.judge = nn.Linear(width + 1, width)
        self.head = nn.Linear(width, 1, bias=False)  # only differences of judgements count
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                _start(layer)

    def forward(self, x: Tensor) -> Tensor:
        """Phrases (B, steps, C, P) to (B,)."""
        h = functional.leaky_relu(self.steps(x.flatten(2)), LEAK)  # (B, steps, W)
        h = self.bars(self.beats(h))  # (B, bars, W)
        h = functional.leaky_relu(self.phrase(h.flatten(1)), LEAK)  # (B, W)
        differ = (h.float().var(0, unbiased=False) + 1e-8).sqrt().mean()  # how much the phrases of the batch do
        h = torch.cat([h, differ.to(h.dtype).expand(len(h), 1)], 1)
        judged: Tensor = self.head(functional.leaky_relu(self.judge(h), LEAK))
        return judged[:, 0].float()


class Gan(nn.Module, Model):
    """A generator of phrases and its critic."""

    name: ClassVar[str] = "gan"
    player: ClassVar[str] = "graph"
    Spec: ClassVar[type[Any]] = RollSpec

    @settings
    class Settings:
        """The phrase and the two networks."""

        steps: Annotated[int, Field(ge=1)] = 64
        """Frames of a phrase."""
        align: Annotated[int, Field(ge=1)] = 16
        """Frames of a bar; phrases begin at multiples of it."""
        latent: Annotated[int, Field(ge=1)] = 64
        """Length of z."""
        width: Annotated[int, Field(ge=1)] = 128
        """Width of both networks."""
        penalty: Annotated[float, Field(ge=0)] = 5.0
        """Weight of the squared gradient of the critic, at real phrases and at made ones."""
        average: Annotated[float, Field(ge=0, lt=1)] = 0.999
        """Share of the averaged weights that an update leaves as they are."""

        def __post_init__(self) -> None:
            if self.steps % self.align:
                raise ValueError("steps must be a multiple of align: a phrase is whole bars")

    settings: Settings
    spec: RollSpec
    updates: Tensor

    def __init__(self, settings: Settings, spec: RollSpec) -> None:
        super().__init__()
        self.settings = settings
        self.spec = spec = require_cells(spec, self.name)
        self.steps = settings.steps
        self.align = settings.align
        beat = math.gcd(settings.align, spec.steps_per_beat)
        levels = (settings.steps // settings.align, settings.align // beat, beat)
        shape = (settings.width, levels, (spec.channels, spec.pitches))
        self.generator = Generator(settings.latent, *shape)
        self.critic = Critic(*shape)
        self.averaged = Generator(settings.latent, *shape).requires_grad_(False)
        self.averaged.load_state_dict(self.generator.state_dict())
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    def sides(self) -> dict[str, list[nn.Parameter]]:
        """The two that learn against one another, in this order."""
        return {"critic": list(self.critic.parameters()), "generator": list(self.generator.parameters())}

    def loss(self, batch: Batch, side: str) -> dict[str, Tensor]:
        """What a side makes smaller; no nats, and neither figure falls as the music gets better.

        Each call draws fresh points from torch's generator. While training, the critic's call first brings the average
        of the generator's weights up to date.

        Returns:
            "loss"; of the critic also "margin", by how much it holds real phrases above made ones, and "steepness", the
            length of its gradient at real ones; of the generator also "spread", the mean distance of two made phrases
            over that of two real ones (0 where it has collapsed, about 1 where it has not).
        """
        whole = batch.mask.all(1)
        real = batch.x[whole] if whole.any() else batch.x  # what is filled up with silence is no model for a phrase
        if self.spec.channels == 2:  # what a piece holds from the phrase before begins here
            real = torch.cat([real[:, :1, SUSTAIN, None].expand_as(real[:, :1]), real[:, 1:]], 1)
        z = torch.randn(len(real), self.settings.latent, device=real.device)
        if side == "critic":
            return self._critic_loss(real, z)
        made = binary(self.generator(z))
        with torch.no_grad():
            judged = self.critic(real)
        loss = functional.softplus(judged - self.critic(made)).mean()
        return {"loss": loss, "spread": spread(made.detach()) / spread(real).clamp(min=1e-6)}

    def _critic_loss(self, real: Tensor, z: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            if self.training:
                self._bring_average_up_to_date()
            made = binary(self.generator(z))
        with torch.enable_grad():
            real, made = real.detach().requires_grad_(), made.requires_grad_()
            judged_real, judged_made = self.critic(real), self.critic(made)
            steep = _squared_gradient(judged_real, real), _squared_gradient(judged_made, made)
        margin = judged_real - judged_made
        loss = functional.softplus(-margin).mean() + self.settings.penalty / 2 * (steep[0] + steep[1]).mean()
        return {"loss": loss, "margin": margin.detach().mean(), "steepness": steep[0].detach().sqrt().mean()}

    def _bring_average_up_to_date(self) -> None:
        self.updates += 1
        number = int(self.updates)
        kept = min(self.settings.average, number / (number + 9))  # an average of few is not of the first weights
        for average, new in zip(self.averaged.parameters(), self.generator.parameters(), strict=True):
            average.lerp_(new, 1 - kept)

    def decode(self, z: Tensor) -> Tensor:
        """Points (B, Z) to the logits (B, steps, C, P) that are played: the averaged generator's, made sure.

        A cell is 1 where the generator's logit is above 0, whatever it is; so that drawing it by its probability gives
        what the critic saw, the logit goes towards ±`SURE` on both sides. What is above stays above, which tells the
        guard against silence the likeliest cell, and a high temperature still lets the less sure ones waver.
        """
        logits = self.averaged(z)
        if self.spec.channels == 2:
            logits = note_logits(logits)
        return SURE * functional.softsign(logits / KNEE)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The weights of the averaged generator and of the critic by name, float32."""
        kept = {f"generator.{name}": value for name, value in self.averaged.state_dict().items()}
        kept |= {f"critic.{name}": value for name, value in self.critic.state_dict().items()}
        return {name: value.detach().cpu().numpy() for name, value in kept.items()}

    def load_arrays(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take back what `arrays` gave; the generator is then its average.

        Raises:
            InvalidBundle: they are the weights of another network.
        """
        weights = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
        averaged = {f"averaged{n[len('generator') :]}": w for n, w in weights.items() if n.startswith("generator.")}
        try:
            self.load_state_dict({**weights, **averaged, "updates": self.updates})
        except RuntimeError as error:
            raise InvalidBundle("These weights do not belong to the network that the settings describe.") from error

    def export(self, folder: Path) -> str:
        """Write the averaged generator as `decode.onnx`, and `player.json`, for the player `graph`."""
        s, spec = self.settings, self.spec
        graph = _Graph()
        graph.phrase(self.averaged, (s.steps, spec.channels, spec.pitches))
        gives: dict[str, tuple[int | str, ...]] = {"logits": ("B", s.steps, spec.channels, spec.pitches)}
        graph.write(folder / "decode.onnx", {"z": ("B", s.latent)}, gives)
        facts = {"player": self.player, "latent": s.latent, "steps": s.steps, "align": s.align}
        facts |= {"channels": spec.channels, "pitches": spec.pitches}
        (folder / "player.json").write_text(json.dumps(facts, indent=1))
        return self.player


def binary(logits: Tensor) -> Tensor:
    """Cells of 0 and 1 from the generator's logits (B, steps, C, P), with the gradient of the sigmoid.

    Of one plane each cell sounds whose logit is above 0. Of two, one that sounds is heard if it is struck or the one
    before it is heard: a cell that is held after silence is no note, and the critic sees nothing that is not heard.
    """
    p = torch.sigmoid(logits.float())
    cells = (logits > 0).float() + (p - p.detach())
    if cells.shape[-2] == 1:
        return cells
    struck, sounds = cells[:, :, ONSET], cells[:, :, SUSTAIN]
    with torch.no_grad():
        heard = note_logits(logits)[:, :-1, SUSTAIN] > 0
        may_be = (logits[:, :, ONSET] > 0) | functional.pad(heard, (0, 0, 1, 0))  # heard if it sounds
    return torch.stack([struck * sounds, sounds * may_be], -2)


def note_logits(logits: Tensor) -> Tensor:
    """Logits (B, steps, 2, P) of what is struck, and of what is heard: y[t] = sounds[t] and (struck[t] or y[t - 1]).

    And is the lesser, or the greater of two logits. All steps are found in as many operations as a phrase's length can
    be halved (Hillis and Steele 1986): after the round with `reach`, `heard` knows of notes struck less than twice as
    many steps ago, `held` of all steps since.
    """
    begins = heard = torch.minimum(logits[:, :, ONSET], logits[:, :, SUSTAIN])
    held = logits[:, :, SUSTAIN]
    reach = 1
    while reach < logits.shape[1]:
        earlier, since = (functional.pad(x, (0, 0, reach, 0), value=-SURE)[:, :-reach] for x in (heard, held))
        heard, held = torch.maximum(heard, torch.minimum(held, earlier)), torch.minimum(held, since)
        reach *= 2
    return torch.stack([begins, heard], -2)


def spread(x: Tensor) -> Tensor:
    """The mean number of cells in which two phrases of x (B, steps, C, P) differ; 0 of a single one."""
    rows = x.flatten(1).float()
    filled = rows.sum(1)
    apart = filled[:, None] + filled - 2 * rows @ rows.T  # Hamming's distance of rows of 0 and 1
    return apart.sum() / max(len(x) * (len(x) - 1), 1)


def _squared_gradient(judged: Tensor, x: Tensor) -> Tensor:
    """(B,) |∇D(x)|² of each phrase, itself with a gradient."""
    (gradient,) = torch.autograd.grad(judged.sum(), x, create_graph=True)
    return gradient.float().square().flatten(1).sum(1)


def _start(layer: nn.Linear) -> None:
    """Weights that keep the size of what goes through leaky rectifiers (He et al. 2015), biases 0."""
    nn.init.kaiming_normal_(layer.weight, a=LEAK)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


class _Graph(OnnxGraph):
    """The generator as an ONNX graph."""

    def told(self, h: str, layer: nn.Linear) -> str:
        """A product and a bias, where there is one."""
        return self.affine(h, layer.weight, layer.bias)

    def active(self, h: str, norm: nn.LayerNorm) -> str:
        """A norm and a leaky rectifier."""
        normal = self.op("LayerNormalization", h, norm.weight, norm.bias, epsilon=norm.eps)
        return self.op("LeakyRelu", normal, alpha=LEAK)

    def around(self, h: str, layer: Around) -> str:
        """Each block with its neighbours: h (B, N, W) padded by one block, and three views of that."""
        padded = self.op("Pad", h, np.array([0, 1, 0, 0, 1, 0]))
        ends = ((0, -2), (1, -1), (2, np.iinfo(np.int64).max))
        views = [self.op("Slice", padded, *(np.array([n]) for n in (*end, 1))) for end in ends]
        return self.told(self.op("Concat", *views, axis=2), layer)

    def phrase(self, generator: Generator, shape: tuple[int, ...]) -> None:
        """From `z` to `logits`; see `Generator.forward` and `Gan.decode`."""
        blocks = np.array([0, -1, generator.width])
        h = self.op("Reshape", self.told("z", generator.bars), blocks)
        levels = [h]
        for level in (generator.beats, generator.steps):
            h = self.op("Add", h, self.around(self.active(h, level.norm), level.around))
            h = self.op("Reshape", self.told(self.active(h, level.norm_again), level.parts), blocks)
            h = self.op("Add", h, self.op("Unsqueeze", self.told("z", level.hear), np.array([1])))
            levels.append(h)
        levels[2] = self.op("Add", h, self.around(self.active(h, generator.norm), generator.around))
        planes = self.logits(levels, generator, shape)
        if len(planes) == 2:
            planes[ONSET] = self.op("Min", *planes)
            planes[SUSTAIN] = self.heard(planes[ONSET], planes[SUSTAIN], shape[0])
        h = self.op("Concat", *planes, axis=2)
        h = self.op("Softsign", self.op("Div", h, np.array(KNEE, dtype=np.float32)))
        self.op("Mul", h, np.array(SURE, dtype=np.float32), name="logits")

    def logits(self, levels: list[str], generator: Generator, shape: tuple[int, ...]) -> list[str]:
        """What the levels say together, a plane (B, steps, 1, P) each."""
        says = (generator.say_bars, generator.say_beats, generator.say_steps)
        bars, beats, h = (
            self.op("MatMul", self.active(h, say.norm), say.head.weight.T / math.sqrt(3))
            for h, say in zip(levels, says, strict=True)
        )
        for said, blocks in ((beats, generator.blocks[1]), (bars, generator.blocks[0])):
            h = self.op("Reshape", h, np.array([0, blocks, -1, math.prod(shape[1:])]))
            h = self.op("Add", h, self.op("Unsqueeze", said, np.array([2])))
            h = self.op("Reshape", h, np.array([0, -1, math.prod(shape[1:])]))
        h = self.op("Add", self.op("Reshape", h, np.array([0, *shape])), generator.bias)
        return [self.op("Slice", h, *(np.array([n]) for n in (at, at + 1, 2))) for at in range(shape[1])]

    def heard(self, begins: str, goes_on: str, steps: int) -> str:
        """See `note_logits`."""
        reach = 1
        while reach < steps:
            shift = np.array([0, reach, 0, 0, 0, -reach, 0, 0])  # a negative pad cuts off
            never = np.array(-SURE, dtype=np.float32)
            earlier, since = (self.op("Pad", h, shift, never) for h in (begins, goes_on))
            begins = self.op("Max", begins, self.op("Min", goes_on, earlier))
            goes_on = self.op("Min", goes_on, since)
            reach *= 2
        return begins
