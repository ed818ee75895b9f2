"""Making pieces frame by frame or phrase by phrase: grids of one request side by side, each frame mended by its guard.

A grid has no end of its own and no metre but 4/4 at 120 quarter notes a minute (see `codecs.roll`), so a length in bars
or seconds is a number of steps. Of so many notes the last ones ring out: nothing new is struck after them. What is made
frame by frame goes on where a prompt ends; what is made in phrases goes on where its phrases may begin, and the silence
until then is said.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.codec import Codec, Request, RollSpec
from partimento.errors import ImpossibleRequest, InvalidBundle
from partimento.frames import FrameGuard, Grid, GridPlayer, planes
from partimento.generation.copying import CopyLimit
from partimento.generation.made import Made, guards_acted
from partimento.generation.requests import Fault, Written, drafted, length_asked, prompt_losses
from partimento.progress import Progress, Watch, ignore
from partimento.sampling import Sampling
from partimento.score import DEFAULT_QPM, Score, bar_edges

BEATS_IN_A_BAR = 4
BARS_UNASKED = 16
STEPS_PER_NOTE = 32  # a piece that needs more steps than this for its notes has lost its way
STEPS_ALWAYS = 512
TELL_EVERY = 0.2  # seconds


@dataclass(frozen=True, eq=False)
class GridPrompt:
    """What the new music goes on from."""

    frames: Grid  # (T, C, P), to where the model goes on
    score: Score  # as the codec says it
    remarks: tuple[str, ...]

    @classmethod
    def of(cls, codec: Codec[RollSpec], prompt: Score | NDArray[Any] | None, align: int = 1) -> GridPrompt:
        """Say a prompt in the codec's frames.

        Args:
            codec: the bundle's.
            prompt: a score, to the end of its last bar, or frames; nothing if None.
            align: the model goes on at multiples of so many frames.

        Raises:
            ImpossibleRequest: nothing of it can be said.
        """
        spec = codec.spec
        if prompt is None:
            return cls(np.zeros((0, spec.channels, spec.pitches), np.float32), Score(480), ())
        if isinstance(prompt, np.ndarray):
            if prompt.shape[1:] != (spec.channels, spec.pitches):
                raise ImpossibleRequest("The prompt is not of the grid that this bundle's codec has.")
            frames, remarks = prompt.astype(np.float32), []
        else:
            frames, remarks = to_bar_line(codec.encode(prompt), prompt, spec), prompt_losses(codec, prompt)
        if not codec.notes(frames):
            raise ImpossibleRequest("The prompt has no note that this bundle can say; choose another prompt.")
        missing = -len(frames) % align
        if missing >= spec.steps_per_beat:
            beats = missing / spec.steps_per_beat
            remarks.append(
                f"This model goes on in phrases that begin at every {align / spec.steps_per_beat:g} beats, so "
                f"{beats:.3g} beats of silence come after the prompt."
            )
        whole = np.concatenate([frames, np.zeros((missing, spec.channels, spec.pitches), np.float32)])
        return cls(whole, codec.decode(whole), tuple(remarks))


def to_bar_line(frames: Grid, score: Score, spec: RollSpec) -> Grid:
    """Frames of a score filled up with silence to the end of its last bar, by its own metre."""
    end = int(bar_edges(score)[-1])
    missing = round(end * spec.steps_per_beat / score.ticks_per_quarter) - len(frames)
    return np.concatenate([frames, np.zeros((max(missing, 0), spec.channels, spec.pitches), np.float32)])


class _Draft:
    """One piece in the making."""

    def __init__(self, spec: RollSpec, request: Request, heard: Grid, steps: int, kept: Grid | None) -> None:
        self.frames: list[Grid] = []
        self.guard = FrameGuard(spec, request)
        for frame in heard:
            self.guard.take(frame)
        self.steps = steps
        self.left = request.notes  # notes still to be struck; None where they are not counted
        self.whole = False
        self._onset, self._sustain = planes(spec.channels)
        self._sounding = heard[-1, self._sustain] > 0 if len(heard) else np.zeros(spec.pitches, dtype=bool)
        for frame in () if kept is None else kept:
            self.take(frame.copy(), frame)

    def take(self, frame: Grid, p: Grid) -> None:
        """Take the next frame, (C, P), and change it in place where it must not be as it is."""
        if self.whole:
            return
        self.guard.take(frame, p)
        if self.left is not None:
            self._count(frame, p)
        self._sounding = frame[self._sustain] > 0
        self.frames.append(frame.copy())
        self.whole = len(self.frames) >= self.steps or (self.left == 0 and not self._sounding.any())

    def _count(self, frame: Grid, p: Grid) -> None:
        """Let no more be struck than is left, the likeliest first; what sounds already may go on."""
        sounds = frame[self._sustain] > 0
        struck = frame[self._onset] > 0 if self._onset is not None else sounds & ~self._sounding
        order = np.flatnonzero(struck)[np.argsort(-p[self._sustain][struck], kind="stable")]
        left = self.left or 0
        for pitch in order[left:]:
            frame[:, pitch] = 0
        self.left = left - min(left, len(order))
        if self._onset is not None:  # what goes on from a note that was not let in is none either
            frame[self._sustain, ~self._sounding & ~(frame[self._onset] > 0)] = 0


class GridGeneration:
    """One request at work, with a model of grids."""

    def __init__(
        self,
        codec: Codec[RollSpec],
        player: GridPlayer,
        request: Request,
        sampling: Sampling,
        prompt: GridPrompt,
        n: int,
        seed: int,
        watch: Watch,
        limit: CopyLimit | None = None,
    ) -> None:
        if len(prompt.frames) and not player.hears:
            raise ImpossibleRequest("This kind of model cannot go on from what it is given; ask for no prompt.")
        self.codec = codec
        self.limit = limit
        self.player = player
        self.request = request
        self.sampling = sampling
        self.prompt = prompt
        self.n = n
        self.seed = seed
        self.watch = watch
        self.steps = self._steps()
        self.made_before = 0  # steps of finished pieces
        self.done = 0.0  # steps of all; never falls, though a piece may be tried again
        self.began = self.told = time.monotonic()

    def _steps(self) -> int:
        """How many frames a piece has, at most where notes are counted."""
        request, beat = self.request, self.codec.spec.steps_per_beat
        match length_asked(request):
            case "bars":
                return int(request.bars or 0) * BEATS_IN_A_BAR * beat
            case "seconds":
                steps = math.floor(float(request.seconds or 0) * DEFAULT_QPM / 60 * beat)
                if steps < 1:
                    raise ImpossibleRequest(f"{request.seconds} s is shorter than a step of this bundle's grid.")
                return steps
            case "notes":
                return STEPS_ALWAYS + STEPS_PER_NOTE * int(request.notes or 0)
        return BARS_UNASKED * BEATS_IN_A_BAR * beat

    def run(self) -> Iterator[Made]:
        """Make the pieces, in order."""
        for pieces in drafted(self.n, self.seed, self.write, self.amiss):
            for index, piece in pieces.items():
                self.made_before += len(piece.draft.frames)
                yield self.finished(index, piece)

    def amiss(self, draft: _Draft, attempt: int) -> Fault | None:
        """Whether a draft has no note, or copies too much."""
        frames = np.stack(draft.frames)
        if not self.codec.notes(frames):
            return Fault(frames[:0])
        passage = None if self.limit is None else self.limit.beyond(self.codec.decode(frames))
        if self.limit is None or passage is None:
            return None
        bar = BEATS_IN_A_BAR * self.codec.spec.steps_per_beat
        kept = min(self.limit.kept_bars(passage, attempt) * bar, len(frames) - 1)
        return Fault(frames[: kept // self.player.align * self.player.align if self.player.hears else 0], passage)

    def write(self, seeds: list[list[int]], kept: list[Grid | None]) -> list[_Draft]:
        """Make pieces, one for each seed: side by side, but those of which something is kept one by one."""
        anew = iter(self._write([seed for seed, own in zip(seeds, kept, strict=True) if own is None], None))
        return [
            next(anew) if own is None else self._write([seed], own)[0] for seed, own in zip(seeds, kept, strict=True)
        ]

    def _write(self, seeds: list[list[int]], kept: Grid | None) -> list[_Draft]:
        """Make pieces side by side, after what is kept of them, which is the same for all.

        Raises:
            InvalidBundle: the player gives another grid than the codec has.
        """
        spec, heard = self.codec.spec, self.prompt.frames
        if not seeds:
            return []
        drafts = [_Draft(spec, self.request, heard, self.steps, kept) for _ in seeds]
        rngs = [np.random.default_rng(seed) for seed in seeds]
        before = heard if kept is None else np.concatenate([heard, kept])
        for cells, p in self.player.play(rngs, before, self.sampling):
            if cells.shape[2:] != (spec.channels, spec.pitches):
                raise InvalidBundle(
                    "The model and the codec have different grids: they do not belong together. Fetch the bundle "
                    "afresh, or train it again."
                )
            for row, draft in enumerate(drafts):
                for step in range(cells.shape[1]):
                    draft.take(cells[row, step], p[row, step])
            self.look(drafts)
            if all(draft.whole for draft in drafts):
                break
        return drafts

    def look(self, drafts: Sequence[_Draft]) -> None:
        """Say how far the work is, now and then."""
        now = time.monotonic()
        if self.watch is not ignore and now - self.told > TELL_EVERY:
            self.told = now
            self.tell(self.made_before + sum(len(draft.frames) for draft in drafts))

    def tell(self, done: float, remark: str = "") -> None:
        """Say how far the work is, in steps."""
        self.done = done = max(self.done, done)
        total = None if self.request.notes else float(self.steps * self.n)
        facts = {"steps/s": done / max(time.monotonic() - self.began, 1e-3)}
        self.watch(Progress("Composing", min(done, total or done), total, "steps", facts, remark))

    def finished(self, index: int, piece: Written[_Draft]) -> Made:
        """The piece that was written."""
        draft = piece.draft
        frames = np.stack(draft.frames)
        score = self.codec.decode(np.concatenate([self.prompt.frames, frames]))
        remarks = [*self.prompt.remarks, *guards_acted(draft.guard.acted), *piece.remarks()]
        bars = len(frames) / (BEATS_IN_A_BAR * self.codec.spec.steps_per_beat)
        if self.sampling.temperature == 0 and 0 < self.codec.notes(frames) < bars:
            remarks.append("The model is sure of few notes: train it for longer, or draw by chance (--temperature 1).")
        if draft.left:
            remarks.append(f"It was cut after {len(frames)} steps, {draft.left} notes before those asked for.")
        made = Made.of(index, score, self.prompt.score, frames, remarks)
        for remark in made.remarks or ("",):
            self.tell(self.made_before, f"Piece {index + 1}: {remark}" if remark else "")
        return made
