"""Generation: from a bundle and a request to pieces of music.

Asked for nothing, a piece ends where the model ends it, but not before `SHORTEST_BARS` bars (an end drawn sooner is
drawn again) and not after `LONGEST_SECONDS` (it is cut there, and says so). Piece i of a request draws from
`numpy.random.default_rng([seed, i])`, so the same bundle, request, seed and number of pieces give the same music on
the same machine. Pieces go through the model `SIDE_BY_SIDE` at a time. Leaves out: making pieces while they are heard
(streaming), and judging them.
"""

from __future__ import annotations

import importlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.bundle import Bundle
from partimento.codec import Codec, Request, TokenSpec
from partimento.discovery import names_in
from partimento.errors import ImpossibleRequest, InvalidBundle
from partimento.guards import Guards
from partimento.progress import Progress, Watch, ignore
from partimento.sampling import Draft, Sampling, Stepper, sample
from partimento.score import Score, bar_lines, end_tick, excerpt, note_array, seconds_at
from partimento.settings import from_table

SHORTEST_BARS = 4
LONGEST_SECONDS = 240.0
SIDE_BY_SIDE = 32
ATTEMPTS = 4  # how often a piece without a note is tried again, in all
PROMPT_HEARD = 1024  # the last ids of a prompt that the model reads; the grammar and the score have all of it

MOST = {"bars": 2_000, "seconds": 7_200.0, "notes": 100_000}
MOST_PIECES = 10_000
IDS_PER = {"bars": 1024, "seconds": 512, "notes": 32}  # a piece that needs more ids than this has lost its way
IDS_ALWAYS = 512
IDS_UNASKED = 16_384

Ids = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Made:
    """One new piece.

    Attributes:
        index: its place in the request, from 0.
        score: the whole piece; what was prompted comes first.
        ids: (T,) the new ids.
        begins: the tick of `score` at which the new music begins; 0 without a prompt.
        begins_bar: the bar, counted from 1, in which it begins.
        notes: how many notes are new.
        seconds: how long the new music lasts.
        remarks: sentences about how it came to be: what guards did, what the prompt lost.
    """

    index: int
    score: Score
    ids: Ids
    begins: int
    begins_bar: int
    notes: int
    seconds: float
    remarks: tuple[str, ...]

    def new(self) -> Score:
        """The new music alone, beginning at tick 0."""
        return excerpt(self.score, self.begins, max(end_tick(self.score), self.begins + 1))


def generate(
    bundle: Bundle,
    *,
    request: Request | None = None,
    sampling: Sampling | None = None,
    guards: Guards | None = None,
    n: int = 1,
    seed: int = 0,
    prompt: Score | Ids | None = None,
    threads: int = 1,
    watch: Watch = ignore,
) -> Iterator[Made]:
    """Make new pieces, in order.

    Args:
        bundle: what plays.
        request: what each piece must be; see the module for what is made if nothing is asked.
        sampling: how ids are drawn; as the bundle's recipe says if None.
        guards: what keeps pieces from going wrong.
        n: how many pieces.
        seed: the same seed gives the same music.
        prompt: music to go on from; a score, or (P,) ids of the bundle's codec, with or without `bos` and `eos`.
        threads: for each step of the model.
        watch: hears how far the work is, in the unit of the request, and each remark.

    Returns:
        The pieces, made as they are asked for. The request is checked at once.

    Raises:
        ImpossibleRequest: this bundle cannot make it; nothing has been sampled.
        InvalidBundle: the bundle's parts do not work together.
    """
    request = request or Request()
    codec = bundle.codec()
    _check(request, codec, bundle, n, seed)
    heard = _Prompt.of(codec, prompt)
    if sampling is None:
        sampling = from_table(Sampling, bundle.recipe.get("sampling", {}), "sampling")
    stepper = open_player(bundle, threads)
    return _Generation(codec, stepper, request, sampling, guards or Guards(), heard, n, seed, watch).run()


def open_player(bundle: Bundle, threads: int = 1) -> Stepper:
    """Open what plays the bundle.

    Raises:
        InvalidBundle: this version of Partimento has no such player, or it cannot use what the bundle holds.
    """
    if bundle.player_name not in names_in("partimento.players"):
        raise InvalidBundle(
            f"{bundle.folder} is played by {bundle.player_name!r}, which this version of Partimento does not have: "
            "pip install --upgrade partimento."
        )
    module = importlib.import_module(f"partimento.players.{bundle.player_name}")
    stepper: Stepper = module.open_player(bundle.player_folder, threads)
    return stepper


def _check(request: Request, codec: Codec[Any], bundle: Bundle, n: int, seed: int) -> None:
    """Refuse what cannot be made.

    Raises:
        ImpossibleRequest: says why.
    """
    if not 1 <= n <= MOST_PIECES:
        raise ImpossibleRequest(f"{n} pieces cannot be made at once; ask for 1 to {MOST_PIECES:,}.")
    if seed < 0:
        raise ImpossibleRequest(f"A seed is 0 or more; {seed} is not.")
    asked = _asked(request)
    if asked and getattr(request, asked) > MOST[asked]:
        raise ImpossibleRequest(f"A piece may have {MOST[asked]:,} {asked} at most; ask for fewer.")
    if not isinstance(codec.spec, TokenSpec):
        raise ImpossibleRequest(f"{bundle.folder} writes grids, which are not made id by id.")
    grammar = codec.grammar()
    if grammar:
        grammar.start(request)
    elif asked:
        raise ImpossibleRequest(
            f"The codec {bundle.codec_name!r} of this bundle cannot count {asked} while it writes; ask for none."
        )


def _asked(request: Request) -> str | None:
    """Which length is asked for: "bars", "seconds", "notes" or none."""
    return next((name for name in MOST if getattr(request, name) is not None), None)


@dataclass(frozen=True, eq=False)
class _Prompt:
    """What the new music goes on from."""

    ids: Ids  # (P,), without bos and eos
    score: Score  # as the codec says it
    remarks: tuple[str, ...]

    @classmethod
    def of(cls, codec: Codec[TokenSpec], prompt: Score | Ids | None) -> _Prompt:
        """Say a prompt in the codec's ids.

        Raises:
            ImpossibleRequest: nothing of it can be said.
        """
        if prompt is None:
            return cls(np.empty(0, np.int64), Score(480), ())
        spec = codec.spec
        if isinstance(prompt, np.ndarray):
            if prompt.ndim != 1 or ((prompt < 0) | (prompt >= spec.vocab_size)).any():
                raise ImpossibleRequest("The prompt holds ids that this bundle's codec does not have.")
            ids = prompt[~np.isin(prompt, [spec.bos, spec.eos, spec.pad])].astype(np.int64)
            remarks = []
        else:
            ids = codec.encode(prompt)
            remarks = prompt_losses(codec, prompt)
        score = codec.decode(ids)
        if not score.note_num():
            raise ImpossibleRequest("The prompt has no note that this bundle can say; choose another prompt.")
        if len(ids) > PROMPT_HEARD:
            remarks.append(f"The prompt is long: the model heard its last {PROMPT_HEARD} of {len(ids)} ids.")
        return cls(ids, score, tuple(remarks))

    def heard(self, spec: TokenSpec) -> Ids:
        """What the model reads before it writes; only a prompt heard from its beginning has `bos` before it."""
        if len(self.ids) > PROMPT_HEARD:
            return self.ids[-PROMPT_HEARD:]
        return np.concatenate([np.array([spec.bos], np.int64), self.ids])


def prompt_losses(codec: Codec[Any], prompt: Score) -> list[str]:
    """Sentences about what a codec cannot say of a prompt; none where it keeps every note and instrument."""
    given, kept = note_array(prompt), note_array(codec.decode(codec.encode(prompt)))
    remarks = []
    if len(kept) < len(given):
        remarks.append(f"The model's codec cannot say {len(given) - len(kept)} of the prompt's {len(given)} notes.")
    lost = sorted(set(given["program"].tolist()) - set(kept["program"].tolist()))
    if lost:
        names = ", ".join("drums" if program < 0 else f"program {program + 1}" for program in lost)
        remarks.append(f"The model's codec does not keep these instruments of the prompt: {names} (General MIDI).")
    return remarks


class _Generation:
    """One request at work."""

    def __init__(
        self,
        codec: Codec[TokenSpec],
        stepper: Stepper,
        request: Request,
        sampling: Sampling,
        guards: Guards,
        prompt: _Prompt,
        n: int,
        seed: int,
        watch: Watch,
    ) -> None:
        self.codec = codec
        self.stepper = stepper
        self.request = request
        self.sampling = sampling
        self.guards = guards
        self.prompt = prompt
        self.n = n
        self.seed = seed
        self.watch = watch
        self.asked = _asked(request)
        self.told = 0.0  # of finished pieces, in the unit of the request
        self.done = 0.0  # of all; never falls, though a piece may be tried again
        self.began = self.next_look = time.monotonic()

    def run(self) -> Iterator[Made]:
        for first in range(0, self.n, SIDE_BY_SIDE):
            indices = range(first, min(first + SIDE_BY_SIDE, self.n))
            drafts = {i: self.draft([self.seed, i]) for i in indices}
            self.write(list(drafts.values()))
            tries = dict.fromkeys(indices, 1)
            for attempt in range(1, ATTEMPTS):
                again = [i for i in indices if not self.codec.notes(np.array(drafts[i].ids, np.int64))]
                drafts |= {i: self.draft([self.seed, i, attempt]) for i in again}
                tries |= dict.fromkeys(again, attempt + 1)
                self.write([drafts[i] for i in again])
            self.told += sum(self.measure(np.array(draft.ids, np.int64)) for draft in drafts.values())
            for i in indices:
                made = self.finished(i, drafts[i], tries[i])
                self.tell([], made)
                yield made

    def draft(self, seeds: Sequence[int]) -> Draft:
        grammar = self.codec.grammar()
        if grammar:
            grammar.start(self.request)
            for id in self.prompt.ids.tolist():
                grammar.advance(id)
            grammar.begin()
        draft = Draft(np.random.default_rng(seeds), grammar, self.prompt.heard(self.codec.spec))
        if not self.asked:
            draft.may_end = lambda ids: self.bars(ids) >= SHORTEST_BARS
            draft.must_end = lambda ids: self.seconds(ids) >= LONGEST_SECONDS
        return draft

    def write(self, drafts: list[Draft]) -> None:
        if drafts:
            longest = IDS_UNASKED
            if self.asked:
                longest = IDS_ALWAYS + int(IDS_PER[self.asked] * getattr(self.request, self.asked))
            sample(
                self.stepper,
                drafts,
                self.codec.spec,
                longest=longest,
                sampling=self.sampling,
                guards=self.guards,
                look=lambda: self.look(drafts),
            )

    # how long the new music is

    def whole(self, ids: Ids) -> Score:
        return self.codec.decode(np.concatenate([self.prompt.ids, ids]))

    def bars(self, ids: Ids) -> int:
        score = self.whole(ids)
        begins, ends = end_tick(self.prompt.score), end_tick(score)
        return int((bar_lines(score, ends) >= begins).sum()) if ends > begins else 0

    def seconds(self, ids: Ids) -> float:
        score = self.whole(ids)
        begins, ends = seconds_at(score, np.array([end_tick(self.prompt.score), end_tick(score)]))
        return max(float(ends - begins), 0.0)

    def notes(self, ids: Ids) -> int:
        return self.codec.notes(np.concatenate([self.prompt.ids, ids])) - self.codec.notes(self.prompt.ids)

    def measure(self, ids: Ids) -> float:
        """How much music that is, in the unit of the request."""
        of: dict[str | None, Callable[[Ids], float]] = {"bars": self.bars, "seconds": self.seconds}
        return of.get(self.asked, self.notes)(ids)

    # progress

    def look(self, drafts: Sequence[Draft]) -> None:
        """Say how far the work is, seldom enough that looking takes no more than a twentieth of the time."""
        now = time.monotonic()
        if now >= self.next_look and self.watch is not ignore:
            self.tell(drafts)
            self.next_look = time.monotonic() + max(0.2, 20 * (time.monotonic() - now))

    def tell(self, drafts: Sequence[Draft], made: Made | None = None) -> None:
        writing = sum(self.measure(np.array(draft.ids, np.int64)) for draft in drafts)
        self.done = done = max(self.done, self.told + writing)
        unit, each = self.asked or "notes", getattr(self.request, self.asked) if self.asked else None
        facts = {f"{unit}/s": done / max(time.monotonic() - self.began, 1e-3)}
        total = each and each * self.n
        remarks = [f"Piece {made.index + 1}: {remark}" for remark in made.remarks] if made else []
        for remark in remarks or [""]:
            self.watch(Progress("Composing", min(done, total or done), total, unit, facts, remark))

    # the finished piece

    def finished(self, index: int, draft: Draft, tries: int) -> Made:
        ids = np.array(draft.ids, dtype=np.int64)
        score = self.whole(ids)
        begins, notes = self.new_notes(score)
        ends, start = end_tick(score), begins
        seconds = np.diff(seconds_at(score, np.array([start, max(ends, start)])))[0]
        return Made(
            index=index,
            score=score,
            ids=ids,
            begins=begins,
            begins_bar=int(np.searchsorted(bar_lines(score, begins + 1), begins, side="right")),
            notes=notes,
            seconds=float(seconds),
            remarks=(*self.prompt.remarks, *self.remarks(draft, notes, tries)),
        )

    def new_notes(self, score: Score) -> tuple[int, int]:
        """Where the notes that the prompt does not have begin, in ticks, and how many they are."""
        whole = note_array(score)
        if not len(self.prompt.ids):
            return 0, len(whole)
        keys = ["onset", "pitch", "program"]
        old = Counter(map(tuple, note_array(self.prompt.score)[keys].tolist()))
        new = []
        for note in map(tuple, whole[keys].tolist()):
            if old[note]:
                old[note] -= 1
            else:
                new.append(note[0])
        return min(new, default=end_tick(self.prompt.score)), len(new)

    def remarks(self, draft: Draft, notes: int, tries: int) -> Iterator[str]:
        for guard, times in sorted(draft.acted.items()):
            if times:
                yield f"The {guard} guard acted {'once' if times == 1 else f'{times} times'}."
        if not notes:
            yield f"It has no notes, though it was tried {tries} times."
        elif tries > 1:
            yield f"It came without a note at first and was tried {tries} times."
        if not draft.ended and self.asked:
            yield f"It was cut after {len(draft.ids)} ids, before it had the {self.asked} that were asked for."
        elif not draft.ended:
            yield f"It had not ended after {LONGEST_SECONDS / 60:.0f} minutes and was cut there."
