"""Sampling: from logits to the next id, and the loop that makes whole pieces of it; numpy alone.

The order of operations is that of most libraries: how busy the piece is (`Sampling.steadiness`), the grammar's mask,
temperature, top-k, top-p, kinds-p, min-p (`distributions`), what is seldom (`Seldom`). Each one sees the distribution
that the one before it left. All work on several pieces at once, (B, V), since that is where the time goes. Leaves out:
beams, penalties for repetition (they punish music for being music; see `guards`), and speculative drafts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from partimento.codec import Grammar, TokenSpec
from partimento.distributions import Kinds, draw, kinds_p, min_p, of_kinds, softmax, top_k, top_p
from partimento.errors import InvalidBundle
from partimento.guards import Guards, LoopGuard, without
from partimento.settings import settings


@settings
class Sampling:
    """How the next id is drawn from the model's distribution."""

    temperature: float = 1.0
    """Above 1 bolder, below 1 safer; 0 always takes the likeliest."""
    top_k: int = 0
    """Draw from this many likeliest ids only; 0 for no limit."""
    top_p: float = 1.0
    """Draw from the likeliest ids that together have this probability (Holtzman et al. 2020)."""
    kinds_p: float = 1.0
    """The same of kinds of ids that are alike, for codecs that have some (pitch classes, tempi and metres, of `cells`):
    of the likeliest kinds that together have this probability any id may be drawn."""
    min_p: float = 0.0
    """Leave out ids less likely than this share of the likeliest (Nguyen et al. 2024)."""
    steadiness: float = 0.0
    """Power of the ratio of how busy a piece is now to how busy it began, or pieces usually are, by which the odds of
    another note fall, for codecs that tell it (`cells`); of what is filled, to how busy its tracks are around it. And
    metre and tempo change no oftener than in learnt music, unless the model is sure. 0 leaves all that, 4 holds pieces
    of minutes."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ValueError("temperature must be 0 or more")
        if self.top_k < 0:
            raise ValueError("top_k must be 0 (no limit) or more")
        for name in ("top_p", "kinds_p"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must be more than 0 and at most 1")
        if not 0 <= self.min_p <= 1:
            raise ValueError("min_p must be from 0 to 1")
        if not 0 <= self.steadiness <= 100:
            raise ValueError("steadiness must be from 0 to 100")


class Stepper(Protocol):
    """A model that gives, step by step, the distribution of the next id; what `step` and `counts` players are."""

    def start(self, batch: int) -> Any:
        """The state before the first id, for `batch` pieces side by side."""

    def step(self, ids: NDArray[np.int64], state: Any) -> tuple[NDArray[np.float32], Any]:
        """Take one id for each piece, (B,), and give the logits of the next, (B, V), and the state after it."""


@runtime_checkable
class Narrowing(Protocol):
    """A stepper that can go on with some of its pieces only, so that finished ones cost nothing."""

    def narrow(self, state: Any, rows: NDArray[np.int64]) -> Any:
        """The state of the pieces at `rows` alone."""


@runtime_checkable
class Hearing(Protocol):
    """A stepper that can read a prompt more quickly than it writes, since nobody asks what it foretells there."""

    def hear(self, ids: NDArray[np.int64], state: Any) -> Any:
        """Take some ids for each piece, (B, T), and give the state after them."""


@runtime_checkable
class Busy(Protocol):
    """A grammar that knows how busy a piece is."""

    def busier(self) -> tuple[slice, float] | None:
        """The ids of which any begins a note, and how many times as busy the piece is now as it began or is to be.

        None where no note begins with the next id, or too little has come to say.
        """


@runtime_checkable
class Seldom(Protocol):
    """A grammar that knows what is seldom."""

    def seldom(self) -> list[tuple[NDArray[np.int64], float]]:
        """Sets of ids, and how often any of each comes next in learnt music where it might, 0 to 1."""


def probabilities(
    logits: NDArray[np.float32],
    mask: NDArray[np.bool_],
    sampling: Sampling,
    temperature: Sequence[float] | None = None,
    kinds: Kinds | None = None,
) -> NDArray[np.float32]:
    """The distributions to draw from.

    Args:
        logits: (B, V) unnormalised log probabilities.
        mask: (B, V) what may come next; at least one True in each row. A row whose every allowed id has no probability
            at all is drawn from evenly.
        sampling: how.
        temperature: B of them in place of `sampling.temperature`, where pieces differ.
        kinds: of which kind each id is.

    Returns:
        (B, V); each row sums to 1 and is 0 where the mask is False.

    Raises:
        InvalidBundle: a logit is not a number, as after a training that went wrong.
    """
    p = softmax(logits, mask, temperature or [sampling.temperature] * len(logits))
    if sampling.top_k:
        p = top_k(p, sampling.top_k)
    if sampling.top_p < 1:
        p = top_p(p, sampling.top_p)
    if sampling.kinds_p < 1 and kinds is not None:
        p = kinds_p(p, kinds, sampling.kinds_p)
    if sampling.min_p:
        p = min_p(p, sampling.min_p)
    return p


@dataclass(eq=False)
class Draft:
    """One piece in the making.

    Attributes:
        rng: what this piece draws from.
        grammar: what may come next, already at the beginning of the new music; None where any id may.
        heard: (P,) the ids that the model reads before it writes: `bos`, a prompt, or both; at least one. Of a draft
            that goes on, its own ids so far come last.
        may_end: asked, with the new ids so far, each time the piece would end; where it says no, it goes on.
        must_end: asked now and then, with the same: where it says yes, the piece is cut there.
        ids: the new ids so far, without `eos`.
        ended: the piece came to its own end; False while it is being made and where it was cut at the longest.
        acted: how often each guard acted, by its name.
    """

    rng: np.random.Generator
    grammar: Grammar | None
    heard: NDArray[np.int64]
    may_end: Callable[[NDArray[np.int64]], bool] = lambda _ids: True
    must_end: Callable[[NDArray[np.int64]], bool] = lambda _ids: False
    ids: list[int] = field(default_factory=list)
    ended: bool = False
    acted: Counter[str] = field(default_factory=Counter)


RELUCTANCE = 8  # ids that a piece which may not end yet adds before it may ask again
ASK_EVERY = 128  # ids between two questions whether the piece must end
SURE = 0.9  # what one of the ids that are seldom must be likelier than, to come as often as the model says
LOOK_EVERY = 32  # steps between two calls of `look`


def sample(
    stepper: Stepper,
    drafts: Sequence[Draft],
    spec: TokenSpec,
    *,
    longest: int,
    sampling: Sampling | None = None,
    guards: Guards | None = None,
    look: Callable[[], None] = lambda: None,
) -> None:
    """Write the drafts to their ends, all side by side, a step of the model for all at once.

    While one still reads its prompt, others already write; a finished one leaves the batch where the stepper can do
    without it (`Narrowing`) and idles where it cannot. The same drafts with the same generators give the same music.

    Args:
        stepper: the model.
        drafts: the pieces, written in place.
        spec: the ids' meaning.
        longest: the most new ids that a piece may have, 1 at least; it is cut there (`ended` stays False).
        sampling: how ids are drawn.
        guards: against endless loops.
        look: called every few steps, to report progress.

    Raises:
        InvalidBundle: the model gives no numbers, or has another vocabulary than the spec.
    """
    sampling, guards = sampling or Sampling(), guards or Guards()
    pens = [_Pen(draft, spec, sampling, guards, longest) for draft in drafts]
    state, step = stepper.start(len(pens)), 0
    if isinstance(stepper, Hearing):  # all but the last id of the shortest prompt, which is the first to be answered
        step = min((len(pen.draft.heard) for pen in pens), default=1) - 1
        state = stepper.hear(np.array([pen.draft.heard[:step] for pen in pens], dtype=np.int64), state)
    while not all(pen.done for pen in pens):
        logits, state = stepper.step(np.array([pen.read(step) for pen in pens], dtype=np.int64), state)
        if logits.shape != (len(pens), spec.vocab_size):
            raise InvalidBundle(
                f"The model knows {logits.shape[-1]} ids and the codec {spec.vocab_size}: they do not belong together. "
                "Fetch the bundle afresh, or train it again."
            )
        writing = [row for row, pen in enumerate(pens) if pen.writes(step)]
        if writing:
            _write([pens[row] for row in writing], logits if len(writing) == len(pens) else logits[writing])
            going = [row for row, pen in enumerate(pens) if not pen.done]
            if 0 < len(going) < len(pens) and isinstance(stepper, Narrowing):
                pens = [pens[row] for row in going]
                state = stepper.narrow(state, np.array(going, dtype=np.int64))
        step += 1
        if step % LOOK_EVERY == 0:
            look()


class _Pen:
    """What writes one draft: the ids still to be read, the guards, the end."""

    def __init__(self, draft: Draft, spec: TokenSpec, sampling: Sampling, guards: Guards, longest: int) -> None:
        self.draft = draft
        self.spec = spec
        self.sampling = sampling
        self.loops = LoopGuard(guards)
        self.longest = longest
        self.ends_after = 0  # ids before which the piece may not end
        self.done = False
        self.kinds = of_kinds(spec.kinds)
        self.busy = draft.grammar if isinstance(draft.grammar, Busy) else None
        self.seldom = draft.grammar if isinstance(draft.grammar, Seldom) else None
        self.sayable = np.ones(spec.vocab_size, dtype=np.bool_)
        self.sayable[[spec.pad, spec.bos]] = False
        for id in draft.ids:  # of a draft that goes on
            self.loops.advance(id)

    def read(self, step: int) -> int:
        """The id that the model reads at this step."""
        if step < len(self.draft.heard):
            return int(self.draft.heard[step])
        return self.spec.eos if self.done else self.draft.ids[-1]

    def writes(self, step: int) -> bool:
        """Whether the logits of this step are drawn from."""
        return not self.done and step >= len(self.draft.heard) - 1

    def choice(self) -> tuple[NDArray[np.bool_], float]:
        """(V,) what may come next, and how warmly it is drawn."""
        mask = self.draft.grammar.mask() if self.draft.grammar else self.sayable
        if len(self.draft.ids) < self.ends_after:
            mask = without(mask, self.spec.eos)
        return self.loops.act(mask, self.sampling.temperature)

    def redraws(self, id: int, mask: NDArray[np.bool_]) -> bool:
        """Whether the piece would end here, though it may not yet and may do something else."""
        if id != self.spec.eos or np.count_nonzero(mask) == 1 or self.draft.may_end(np.array(self.draft.ids, np.int64)):
            return False
        self.ends_after = len(self.draft.ids) + RELUCTANCE
        return True

    def take(self, id: int) -> None:
        """Write an id, or end."""
        draft = self.draft
        if id == self.spec.eos:
            draft.ended = True
        else:
            draft.ids.append(id)
            self.loops.advance(id)
            if draft.grammar:
                draft.grammar.advance(id)
        asks = not draft.ended and len(draft.ids) % ASK_EVERY == 0
        cut = len(draft.ids) >= self.longest or (asks and draft.must_end(np.array(draft.ids, np.int64)))
        if draft.ended or cut:
            self.done = True
            draft.acted = Counter(draft.grammar.acted) if draft.grammar else Counter()
            draft.acted.update({"loop": self.loops.acted} if self.loops.acted else {})


def _ending(pens: Sequence[_Pen], logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give `eos` the probability of what only the length forbids (see `Grammar.beyond`), in each row of (B, V)."""
    for row, pen in enumerate(pens):
        beyond = pen.draft.grammar.beyond() if pen.draft.grammar else None
        if beyond is not None:
            logits = logits.copy()
            logits[row, pen.spec.eos] = np.logaddexp.reduce(logits[row, [pen.spec.eos, *beyond]])
    return logits


def _steadied(pens: Sequence[_Pen], logits: NDArray[np.float32], steadiness: float) -> NDArray[np.float32]:
    """Logits (B, V) by which notes become less likely, the busier a piece is than it began or is usual; or likelier.

    Drawn by a young model, a chord with a note too many makes the next one likelier to have one, and so on; how often
    each frame of a grid sounds is held in the same way by Johnson (2015, "Composing music with recurrent neural
    networks").
    """
    logits = logits.copy()
    for row, pen in enumerate(pens):
        busier = pen.busy.busier() if pen.busy else None
        if busier is not None:
            ids, times = busier
            logits[row, ids] -= np.float32(steadiness * math.log(times))
    return logits


def _hold(p: NDArray[np.float32], pens: Sequence[_Pen]) -> None:
    """Leave what is seldom no more of distributions (B, V) than it has in learnt music, unless the model is sure.

    Where nothing else may come, it stays as likely as it is.
    """
    for row, pen in zip(p, pens, strict=True):
        if pen.seldom is None:
            continue
        for ids, share in pen.seldom.seldom():
            mass = float(row[ids].sum())
            if share < mass < 1 - 1e-6 and row[ids].max() <= SURE:
                held = row[ids] * np.float32(share / mass)
                row *= np.float32((1 - share) / (1 - mass))
                row[ids] = held


def _drawn(pens: Sequence[_Pen], logits: NDArray[np.float32]) -> tuple[list[int], Sequence[NDArray[np.bool_]]]:
    """An id for each pen from its row of logits, (B, V), and what might have come."""
    sampling = pens[0].sampling
    masks, temperatures = zip(*[pen.choice() for pen in pens], strict=True)
    p = probabilities(logits, np.array(masks), sampling, temperatures, pens[0].kinds)
    if sampling.steadiness:
        _hold(p, pens)
    return draw(p, [pen.draft.rng for pen in pens]), masks


def _write(pens: Sequence[_Pen], logits: NDArray[np.float32]) -> None:
    """Draw the next id of each pen from its row of logits, (B, V), and write it."""
    logits = _ending(pens, logits)
    if pens[0].sampling.steadiness:
        logits = _steadied(pens, logits, pens[0].sampling.steadiness)
    ids, masks = _drawn(pens, logits)
    for row, (pen, id) in enumerate(zip(pens, ids, strict=True)):
        if pen.redraws(id, masks[row]):
            (id,), _ = _drawn([pen], logits[row : row + 1])
        pen.take(id)
