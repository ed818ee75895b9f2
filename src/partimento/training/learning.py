"""Learning: the settings and the state of a run of training, what changes update by update, and how it is kept.

A checkpoint is one safetensors file (weights, optimisers, and the run's state as JSON in its header) that replaces the
one before in one rename, so there is always a whole one; nothing is pickled.

Optimisers: AdamW (Loshchilov and Hutter 2019) with a linear warm-up and a cosine decay of the learning rate (Loshchilov
and Hutter 2017), gradients clipped by their norm (Pascanu et al. 2013); Adam and RMSprop for the classic recipes; Muon
for matrices (see `muon`).
"""

from __future__ import annotations

import csv
import io
import json
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import safetensors
import safetensors.numpy
import safetensors.torch
import torch
from pydantic import Field
from torch import Tensor, nn

from partimento.atomic import atomic_file, write_text
from partimento.errors import InvalidSettings, PartimentoError
from partimento.model import Batch, Learns, Model
from partimento.settings import settings
from partimento.training.checkpoints import BEST, CURVES, forget_after, keep_checkpoint
from partimento.training.muon import Muon

FORMAT = "partimento training 1"
LAST = "last.safetensors"

Row = dict[str, float]


class Diverged(PartimentoError):
    """Training whose loss is no longer a number."""


EARLY = 1.0  # seconds without a checkpoint that a run may lose at its very beginning
FREE = ("save_every", "threads")  # settings of training that may be others when a run goes on: they teach nothing
READABLE = 200  # letters of what a run was started with that are told where it is another now
LOOKS = 25  # at the held-out pieces in a run, where no more is said


@settings
class Training:
    """How a model learns."""

    updates: Annotated[int, Field(ge=1)] = 1000
    """Updates of the weights, if the held-out loss does not end the run before."""
    length: Annotated[int, Field(ge=1)] = 256
    """Ids predicted in one window; what a model learns to remember is at most this far apart."""
    batch: Annotated[int, Field(ge=1)] = 16
    """Windows trained on at once."""
    optimiser: Literal["adamw", "muon", "adam", "rmsprop", "sgd"] = "adamw"
    """How gradients become steps; muon is for matrices between layers, and AdamW for the rest; sgd is plain gradient
    descent, without momentum."""
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.999)
    """How slowly Adam and AdamW forget: gradients, and their squares. Two sides that learn against one another go
    round in circles where gradients are long remembered (0 to 0.5 for them)."""
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    """Size of a step at its largest."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Whether the learning rate falls to nothing by the last update or stays."""
    warmup: Annotated[float, Field(ge=0, le=1)] = 0.03
    """Share of the updates over which the learning rate rises to its largest."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    """How strongly AdamW pulls matrices towards 0 (biases and norms are left alone)."""
    clip: Annotated[float, Field(gt=0)] | None = 1.0
    """Longest gradient that is taken as it is; a longer one is shortened to it. None takes all."""
    evaluate_every: Annotated[int, Field(ge=1)] | None = None
    """Updates between two looks at the held-out pieces; None for 25 looks in a run."""
    held_out_ids: Annotated[int, Field(ge=1)] = 8_000
    """Held-out ids looked at each time; pieces are drawn where there are more."""
    patience: Annotated[int, Field(ge=1)] | None = 8
    """Looks without a better held-out loss after which the run ends, once it has been through the music; None never
    ends it early."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Numbers that products are computed in; auto takes bfloat16 where the machine has it. Weights stay float32."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a GPU where there is one."""
    threads: Annotated[int, Field(ge=1)] | None = None
    """Processor cores to use; None for all."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Decides the order of the music and every random draw."""
    save_every: Annotated[float, Field(ge=0)] = 30.0
    """Seconds between checkpoints, at most; what a killed run loses at most, and less at its beginning."""
    keep: Literal["best", "improvements", "looks"] = "improvements"
    """Weights to keep, to be heard later: only the best, those of each improvement of the held-out loss, or
    those of every look."""

    @property
    def looks_every(self) -> int:
        """Updates between two looks at the held-out pieces."""
        return self.evaluate_every or max(1, self.updates // LOOKS)


class Run:
    """What changes while a model is trained, and how it is kept."""

    KEPT = ("update", "rows", "best_update", "best_loss", "seconds", "since", "latest")

    def __init__(
        self,
        model: nn.Module,
        training: Training,
        folder: Path,
        started_with: Mapping[str, Any],
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.model = model
        self.precision = precision
        self.training = training
        self.folder = folder
        self.started_with = json.loads(json.dumps(dict(started_with)))  # as the checkpoint will give it back
        self.sides = cast(Learns, model).sides()
        self.optimisers = {side: _optimisers(model, own, training, precision) for side, own in self.sides.items()}
        self.update = 0
        self.rows: list[Row] = []
        self.best_update = 0
        self.best_loss = math.inf
        self.seconds = 0.0  # of the whole run, pauses between its parts not counted
        self.since: Row = {}  # sums since the last row
        self.latest: Row = {}  # losses of the last update
        self._clock = self._saved = time.perf_counter()

    def learn(self, batch: Batch) -> Row:
        """Make one update of every side; gives its losses by name."""
        model = cast(Learns, self.model)
        rate = _rate(self.training, self.update)
        found: Row = {}
        self.model.train()
        for side, parameters in self.sides.items():
            optimisers = self.optimisers[side]
            for optimiser in optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = rate
                optimiser.zero_grad(set_to_none=True)  # another side's pass has left gradients here too
            with torch.autocast(batch.x.device.type, torch.bfloat16, enabled=self.precision == torch.bfloat16):
                losses = model.loss(batch, side)
            losses["loss"].backward()  # type: ignore[no-untyped-call]
            norm = nn.utils.clip_grad_norm_(parameters, self.training.clip or math.inf)
            if not math.isfinite(losses["loss"].item() + norm.item()):
                raise Diverged(
                    f"The loss was no longer a number at update {self.update + 1}. Start again with a lower learning "
                    f"rate, e.g. --set training.learning_rate={rate / 3:.1g}."
                )
            for optimiser in optimisers:
                optimiser.step()
            prefix = f"{side} " if len(self.sides) > 1 else ""
            found |= {prefix + name: value.item() for name, value in losses.items()}
        return found

    def note(self, losses: Row, ids: int, seconds: float) -> None:
        """An update is done."""
        self.update += 1
        new = {"updates": 1.0, "ids": float(ids), "seconds": seconds, **{f"sum {n}": v for n, v in losses.items()}}
        self.since = {name: self.since.get(name, 0.0) + value for name, value in new.items()}
        self.latest = losses

    def look(self, found: Mapping[str, float], notes_per_id: float) -> None:
        """The held-out pieces have been looked at: add a row, and keep the weights if they are the best so far."""
        means = {name[4:]: value / self.since["updates"] for name, value in self.since.items() if name[:4] == "sum "}
        held = {f"held-out {name}": found[name] for name in ("loss", "accuracy") if name in found}
        speed = self.since["ids"] * notes_per_id / self.since["seconds"]
        self._tick()
        row = {"update": float(self.update), **means, **held, "notes/s": speed, "seconds": self.seconds}
        self.rows.append(row)
        self.since = {}
        better = found.get("loss", -math.inf) < self.best_loss
        if better:
            self.best_update, self.best_loss = self.update, found.get("loss", math.inf)
        apart = {"best": False, "improvements": better, "looks": True}[self.training.keep]
        keep_checkpoint(self.folder, self.update, cast(Model, self.model).arrays(), best=better, apart=apart)
        write_text(self.folder / CURVES, as_csv(self.rows))

    def take_as_best(self, found: Mapping[str, float]) -> None:
        """The held-out pieces have been looked at before the first update: these weights are the best so far."""
        self.best_update, self.best_loss = 0, found.get("loss", math.inf)
        keep_checkpoint(self.folder, 0, cast(Model, self.model).arrays(), best=True, apart=False)

    def facts(self, notes_per_id: float) -> Row:
        """What is worth showing now."""
        facts = dict(self.latest)
        if self.since:
            facts["notes/s"] = self.since["ids"] * notes_per_id / self.since["seconds"]
        if self.rows:
            facts |= {name: v for name, v in self.rows[-1].items() if name not in ("update", "seconds", *self.latest)}
        return facts

    def out_of_patience(self, first_pass: int) -> bool:
        """Whether the held-out loss has not got better for too long since all music was learnt once.

        Before, nothing can have been learnt by heart, and the few pieces that are looked at go up and down.

        Args:
            first_pass: updates that go once through the music.
        """
        patience = self.training.patience
        missed = sum(row["update"] > max(self.best_update, first_pass) for row in self.rows)
        return patience is not None and missed >= patience

    @property
    def save_is_due(self) -> bool:
        """Whether a kill would lose too much: `save_every` seconds, or early a quarter of the run and a second."""
        lost = time.perf_counter() - self._saved
        return lost > min(self.training.save_every, max(EARLY, self.seconds / 4))

    def _tick(self) -> None:
        now = time.perf_counter()
        self.seconds, self._clock = self.seconds + now - self._clock, now

    def save(self) -> None:
        """Write the checkpoint: weights, optimisers and this run's state in one file, in one rename."""
        tensors = {f"model/{name}": value for name, value in self.model.state_dict().items()}
        for prefix, optimiser in self._by_name():
            for number, state in optimiser.state_dict()["state"].items():
                tensors |= {f"{prefix}{number}/{name}": value for name, value in state.items()}
        self._tick()
        kept = {name: getattr(self, name) for name in self.KEPT}
        header = {"format": FORMAT, "started with": json.dumps(self.started_with), "state": json.dumps(kept)}
        copies = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
        with atomic_file(self.folder / LAST) as temporary:
            safetensors.torch.save_file(copies, temporary, header)
        self._saved = time.perf_counter()

    def load(self) -> None:
        """Go back to the checkpoint.

        Raises:
            InvalidSettings: it is of a run that was started otherwise, or no checkpoint at all.
        """
        path = self.folder / LAST
        try:
            with safetensors.safe_open(path, "pt") as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            if header.get("format") != FORMAT:
                raise InvalidSettings(f"{path} is no checkpoint of this version; start again in another folder.")
        except (OSError, safetensors.SafetensorError) as error:
            raise InvalidSettings(f"{path} is damaged; start again in another folder.") from error
        refuse_differences(json.loads(header["started with"]), self.started_with)
        for name, value in json.loads(header["state"]).items():
            setattr(self, name, value)
        forget_after(self.folder, self.update)
        self.model.load_state_dict(_under("model/", tensors))
        for prefix, optimiser in self._by_name():
            state: dict[int, dict[str, Tensor]] = {}
            for name, value in _under(prefix, tensors).items():
                number, _, part = name.partition("/")
                state.setdefault(int(number), {})[part] = value
            optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
        if self.rows:
            write_text(self.folder / CURVES, as_csv(self.rows))  # without rows from after the checkpoint
        self._clock = time.perf_counter()

    def _by_name(self) -> Iterator[tuple[str, torch.optim.Optimizer]]:
        """Each optimiser, and what its tensors' names begin with in a checkpoint."""
        for side, optimisers in self.optimisers.items():
            for number, optimiser in enumerate(optimisers):
                yield f"optimiser/{side}/" if number == 0 else f"optimiser {number}/{side}/", optimiser

    def take_best(self) -> None:
        """Give the model the weights of the best held-out loss."""
        if (self.folder / BEST).exists():
            cast(Model, self.model).load_arrays(safetensors.numpy.load_file(self.folder / BEST))


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def refuse_differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Compare what a run was started with and what it is to go on with, by the names that a user knows.

    Raises:
        InvalidSettings: they differ; names each thing, what it was and what it is now.
    """
    differing = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    named = [_differs(name, _said(then.get(name)), _said(now.get(name))) for name in differing]
    if named:
        raise InvalidSettings(
            f"This run was started otherwise: {'; '.join(named)}. Resume it as it was, or start anew in another folder."
        )


def _said(value: Any) -> str:
    return "none" if value is None else str(value)


def _differs(name: str, then: str, now: str) -> str:
    """That something was and is; what is too long to be read is not told, as what a thousand ids mean."""
    if max(len(then), len(now)) > READABLE:
        return f"{name} is not what it was, as by another version of Partimento"
    return f"{name} was {then} and is now {now}"


def as_csv(rows: list[Row]) -> str:
    """Rows as CSV; a column for each name that any row has."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: f"{value:.6g}" if name != "update" else int(value) for name, value in r.items()} for r in rows
    )
    return text.getvalue()


def _optimisers(
    model: nn.Module, own: list[nn.Parameter], training: Training, precision: torch.dtype
) -> list[torch.optim.Optimizer]:
    """What makes the steps of these parameters of the model, each of which is one optimiser's."""
    rate = training.learning_rate
    match training.optimiser:
        case "adamw":
            return [_adamw(own, training)]
        case "muon":
            between = _between(model)
            turned = [p for p in own if id(p) in between]
            others = [p for p in own if id(p) not in between]
            decay = training.weight_decay
            parts = [between[id(p)] for p in turned]
            muon = [Muon(turned, parts=parts, lr=rate, weight_decay=decay, precision=precision)] if turned else []
            return [*([_adamw(others, training)] if others else []), *muon]
        case "adam":
            return [torch.optim.Adam(own, lr=rate, betas=training.betas, fused=True)]
        case "rmsprop":  # with the constants of Keras, whose recipes use it
            return [torch.optim.RMSprop(own, lr=rate, alpha=0.9, eps=1e-7)]
        case "sgd":
            return [torch.optim.SGD(own, lr=rate)]


def _adamw(parameters: list[nn.Parameter], training: Training) -> torch.optim.Optimizer:
    matrices = {"params": [p for p in parameters if p.ndim > 1], "weight_decay": training.weight_decay}
    others = {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0}
    groups = [group for group in (matrices, others) if group["params"]]
    return torch.optim.AdamW(groups, lr=training.learning_rate, betas=training.betas, fused=True)


def _between(model: nn.Module) -> dict[int, int]:
    """Which parameters are matrices between layers, and how many matrices each is, one below the other.

    Products and recurrences, a matrix for each gate; the last product, a `head`, is left out.
    """
    found = {}
    for name, layer in model.named_modules():
        if name.rpartition(".")[2] == "head" or not isinstance(layer, nn.Linear | nn.RNNBase):
            continue
        for p in layer.parameters(recurse=False):
            if p.ndim == 2:
                gates = p.shape[0] // layer.hidden_size if isinstance(layer, nn.RNNBase) else 1
                found[id(p)] = int(getattr(layer, "parts", gates))
    return found


def _rate(training: Training, update: int) -> float:
    """The learning rate of an update, numbered from 0."""
    warm = round(training.warmup * training.updates)
    if update < warm:
        return training.learning_rate * (update + 1) / (warm + 1)
    if training.schedule == "constant":
        return training.learning_rate
    done = (update - warm) / max(training.updates - warm, 1)
    return training.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
