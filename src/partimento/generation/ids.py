"""Making pieces id by id: drafts of one request written side by side, finished, and told of on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partimento.codec import Codec, Request, TokenSpec
from partimento.errors import ImpossibleRequest
from partimento.generation.copying import CopyLimit
from partimento.generation.made import Made, guards_acted, new_notes, with_signature
from partimento.generation.requests import Fault, Written, drafted, length_asked, prompt_losses
from partimento.guards import Guards
from partimento.heard import Heard, new_in
from partimento.progress import Progress, Watch, ignore
from partimento.sampling import Draft, Sampling, Stepper, sample
from partimento.score import Score, bar_lines, end_tick, excerpt, seconds_at

SHORTEST_BARS = 4
LONGEST_SECONDS = 240.0
PROMPT_HEARD = 1024  # the last groups of ids of a prompt that the model reads; the grammar and the score have all of it
IDS_PER = {"bars": 1024, "seconds": 512, "notes": 32}  # a piece that needs more ids than this has lost its way
IDS_ALWAYS = 512
IDS_UNASKED = 16_384

Ids = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class IdPrompt:
    """What the new music goes on from."""

    ids: Ids  # (P,), without bos and eos
    score: Score  # as the codec says it
    remarks: tuple[str, ...]

    @classmethod
    def of(cls, codec: Codec[TokenSpec], prompt: Score | Ids | None) -> IdPrompt:
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
        heard = PROMPT_HEARD * spec.group
        if len(ids) > heard:
            remarks.append(f"The prompt is long: the model heard its last {heard} of {len(ids)} tokens.")
        return cls(ids, score, tuple(remarks))

    def heard(self, spec: TokenSpec) -> Ids:
        """What the model reads before it writes; only a prompt heard from its beginning has `bos` before it."""
        heard = PROMPT_HEARD * spec.group
        if len(self.ids) > heard:
            return self.ids[-1 - (heard - 1) // spec.group * spec.group :]  # groups, after an id of those before them
        return np.concatenate([np.array([spec.bos], np.int64), self.ids])


class IdGeneration:
    """One request at work, with a model of ids."""

    def __init__(
        self,
        codec: Codec[TokenSpec],
        stepper: Stepper,
        request: Request,
        sampling: Sampling,
        guards: Guards,
        prompt: IdPrompt,
        n: int,
        seed: int,
        watch: Watch,
        limit: CopyLimit | None = None,
    ) -> None:
        self.codec = codec
        self.limit = limit
        self.stepper = stepper
        self.request = request
        self.sampling = sampling
        self.guards = guards
        self.prompt = prompt
        self.n = n
        self.seed = seed
        self.watch = watch
        self.asked = length_asked(request)
        self.told = 0.0  # of finished pieces, in the unit of the request
        self.done = 0.0  # of all; never falls, though a piece may be tried again
        self.began = self.next_look = time.monotonic()

    def run(self) -> Iterator[Made]:
        """Make the pieces, in order."""
        for pieces in drafted(self.n, self.seed, self.write, self.amiss):
            self.told += sum(self.measure(np.array(piece.draft.ids, np.int64)) for piece in pieces.values())
            for index, piece in pieces.items():
                made = self.finished(index, piece)
                self.tell([], made)
                yield made

    def amiss(self, draft: Draft, attempt: int) -> Fault | None:
        """Whether a draft has no note, or copies too much."""
        ids = np.array(draft.ids, np.int64)
        if not self.codec.notes(ids):
            return Fault(ids[:0])
        passage = None if self.limit is None else self.limit.beyond(self.new(self.whole(ids)))
        if self.limit is None or passage is None:
            return None
        return Fault(ids[: self.length_of(ids, self.limit.kept_bars(passage, attempt))], passage)

    def new(self, whole: Score) -> Score:
        """The new music of a piece, beginning with a bar."""
        begins, _ = new_notes(whole, self.prompt.score)
        lines = bar_lines(whole)
        start = int(lines[np.searchsorted(lines, begins, side="right") - 1])
        return excerpt(whole, start, max(end_tick(whole), start + 1))

    def length_of(self, ids: Ids, bars: int) -> int:
        """How many of the ids say at most so many bars of the new music."""
        few, many = 0, len(ids)
        while few < many:
            middle = (few + many + 1) // 2
            few, many = (middle, many) if self.bars(ids[:middle]) <= bars else (few, middle - 1)
        return few

    def draft(self, seeds: Sequence[int], kept: Ids | None) -> Draft:
        """A piece that has heard its prompt and has nothing of its own yet but what is kept."""
        grammar = self.codec.grammar()
        if grammar:
            grammar.start(self.request)
            for id in self.prompt.ids.tolist():
                grammar.advance(id)
            grammar.begin()
        own = [] if kept is None else kept.tolist()
        for id in own if grammar else ():
            grammar.advance(id)  # type: ignore[union-attr]
        heard = np.concatenate([self.prompt.heard(self.codec.spec), np.array(own, dtype=np.int64)])
        draft = Draft(np.random.default_rng(seeds), grammar, heard, ids=own)
        if not self.asked:
            draft.may_end = lambda ids: self.bars(ids) >= SHORTEST_BARS
            draft.must_end = lambda ids: self.seconds(ids) >= LONGEST_SECONDS
        return draft

    def write(
        self, seeds: list[list[int]], kept: list[Ids | None], look: Callable[[list[Draft]], None] | None = None
    ) -> list[Draft]:
        """Write a piece from each of these seeds, side by side, to its end, after what is kept of it.

        Args:
            seeds: of each.
            kept: the ids that each begins with.
            look: called every few steps with the drafts; says how far the work is if None.
        """
        look = look or self.look
        drafts = [self.draft(seed, own) for seed, own in zip(seeds, kept, strict=True)]
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
            look=lambda: look(drafts),
        )
        return drafts

    def whole(self, ids: Ids) -> Score:
        """The prompt and what is new."""
        return self.codec.decode(np.concatenate([self.prompt.ids, ids]))

    def bars(self, ids: Ids) -> int:
        """How many bars are new."""
        score = self.whole(ids)
        begins, ends = end_tick(self.prompt.score), end_tick(score)
        return int((bar_lines(score, ends) >= begins).sum()) if ends > begins else 0

    def seconds(self, ids: Ids) -> float:
        """How many seconds are new."""
        score = self.whole(ids)
        begins, ends = seconds_at(score, np.array([end_tick(self.prompt.score), end_tick(score)]))
        return max(float(ends - begins), 0.0)

    def notes(self, ids: Ids) -> int:
        """How many notes are new."""
        return self.codec.notes(np.concatenate([self.prompt.ids, ids])) - self.codec.notes(self.prompt.ids)

    def measure(self, ids: Ids) -> float:
        """How much music that is, in the unit of the request."""
        of: dict[str | None, Callable[[Ids], float]] = {"bars": self.bars, "seconds": self.seconds}
        return of.get(self.asked, self.notes)(ids)

    def look(self, drafts: Sequence[Draft]) -> None:
        """Say how far the work is, seldom enough that looking takes no more than a twentieth of the time."""
        now = time.monotonic()
        if now >= self.next_look and self.watch is not ignore:
            self.tell(drafts)
            self.next_look = time.monotonic() + max(0.2, 20 * (time.monotonic() - now))

    def tell(self, drafts: Sequence[Draft], made: Made | None = None) -> None:
        """Say how far the work is, in the unit of the request, and what is worth saying of a finished piece."""
        writing = sum(self.measure(np.array(draft.ids, np.int64)) for draft in drafts)
        self.done = done = max(self.done, self.told + writing)
        unit, each = self.asked or "notes", getattr(self.request, self.asked) if self.asked else None
        facts = {f"{unit}/s": done / max(time.monotonic() - self.began, 1e-3)}
        total = each and each * self.n
        remarks = [f"Piece {made.index + 1}: {remark}" for remark in made.remarks] if made else []
        heard = (lambda: self.heard(drafts[0])) if drafts else None
        for remark in remarks or [""]:
            self.watch(Progress("Composing", min(done, total or done), total, unit, facts, remark, heard))

    def heard(self, draft: Draft) -> list[Heard]:
        """The new notes of a piece, as far as it is written."""
        return new_in(self.whole(np.array(draft.ids, np.int64)), self.prompt.score)

    def finished(self, index: int, piece: Written[Draft]) -> Made:
        """The piece that was written."""
        draft = piece.draft
        ids = np.array(draft.ids, dtype=np.int64)
        score = self.whole(ids)
        if not self.prompt.score.note_num():
            score = with_signature(score, self.request.key)
        remarks = [*self.prompt.remarks, *guards_acted(draft.acted), *piece.remarks()]
        if not draft.ended and self.asked:
            remarks.append(f"It was cut after {len(draft.ids)} tokens, before it had the {self.asked} asked for.")
        elif not draft.ended:
            remarks.append(f"It had not ended after {LONGEST_SECONDS / 60:.0f} minutes and was cut soon after.")
        return Made.of(index, score, self.prompt.score, ids, remarks)
