"""Streaming: the notes of a piece while it is being made, bar by bar.

A bar is told as soon as the next one has begun, since nothing can come into it any more. What is told is what
`generate` would make of the same seed, but for what it would write again: what has been heard cannot be taken back, so
a piece without a note stays one, and passages that are copied stay.

Leaves out: models of grids, which draw phrases and frames otherwise, and pieces whose cells are written in another
order than they sound.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.bundle import Bundle
from partimento.codec import Request, TokenSpec
from partimento.errors import ImpossibleRequest
from partimento.generation import open_player
from partimento.generation.ids import IdGeneration, IdPrompt
from partimento.generation.made import Made
from partimento.generation.requests import Written, check, check_key
from partimento.guards import Guards
from partimento.heard import KEYS, Heard, fresh_notes, told
from partimento.progress import ignore
from partimento.sampling import Draft, Sampling
from partimento.score import NoteArray, Score, bar_lines, note_array
from partimento.settings import from_table

__all__ = ["Heard", "stream"]

LOOKING = 0.1  # share of the time that looking whether a bar is complete may take


def stream(
    bundle: Bundle,
    hear: Callable[[Heard], None],
    *,
    request: Request | None = None,
    sampling: Sampling | None = None,
    guards: Guards | None = None,
    player: Mapping[str, Any] | None = None,
    seed: int = 0,
    prompt: Score | NDArray[Any] | None = None,
    threads: int = 1,
) -> Made:
    """Make a piece, and tell its notes while it is made.

    Args:
        bundle: what plays.
        hear: is called with each new note, in the order in which they begin, bar by bar.
        request: what the piece must be; as the bundle's recipe says if None.
        sampling: how ids are drawn; as the bundle's recipe says if None.
        guards: what keeps pieces from going wrong.
        player: settings of the bundle's player.
        seed: the same seed gives the same music.
        prompt: music to go on from; its own notes are not told.
        threads: for each step of the model.

    Returns:
        The whole piece.

    Raises:
        ImpossibleRequest: this bundle cannot make it note by note.
    """
    if request is None:
        request = from_table(Request, bundle.recipe.get("request", {}), "request")
    check(request, 1, seed)
    codec = bundle.codec()
    check_key(request, codec)
    if not isinstance(codec.spec, TokenSpec):
        raise ImpossibleRequest(f"The model {bundle.model_name!r} draws grids, and cannot be heard while it composes.")
    if sampling is None:
        sampling = from_table(Sampling, bundle.recipe.get("sampling", {}), "sampling")
    heard = IdPrompt.of(codec, prompt)
    stepper = open_player(bundle, threads, player)
    work = IdGeneration(codec, stepper, request, sampling, guards or Guards(), heard, 1, seed, ignore)
    teller = _Teller(work, hear)
    (draft,) = work.write([[seed, 0]], [None], teller.look)
    made = work.finished(0, Written(draft))
    teller.tell(made.score, None)
    return made


class _Teller:
    """Tells the notes of bars that are complete."""

    def __init__(self, work: IdGeneration, hear: Callable[[Heard], None]) -> None:
        self._work = work
        self._hear = hear
        prompt = work.prompt.score
        self._from = _last_bar(prompt)  # which may go on
        self._numbers: dict[tuple[int, ...], int] = {}  # of tracks, by what they begin with
        self._number(prompt, note_array(prompt))
        self._next_look = 0.0

    def look(self, drafts: list[Draft]) -> None:
        """Tell what has been completed since the last look."""
        began = time.monotonic()
        if began < self._next_look:
            return
        score = self._work.whole(np.array(drafts[0].ids, dtype=np.int64))
        self.tell(score, _last_bar(score))
        now = time.monotonic()
        self._next_look = now + (now - began) / LOOKING

    def tell(self, score: Score, until: int | None) -> None:
        """Tell the notes that begin before a tick and were not told yet; all of them if None."""
        notes = fresh_notes(score, self._work.prompt.score)
        stop = (int(notes["onset"][-1]) + 1 if len(notes) else 0) if until is None else until
        fresh = notes[(notes["onset"] >= self._from) & (notes["onset"] < stop)]
        numbers = self._number(score, fresh)
        for note in told(score, fresh):
            self._hear(replace(note, track=numbers[note.track]))
        self._from = max(self._from, stop)

    def _number(self, score: Score, heard: NoteArray) -> dict[int, int]:
        """Numbers of the tracks of some notes, by their places in the score: in the order in which they enter.

        Their places change where one enters that stands before them; what a track begins with does not.
        """
        begins = Counter[tuple[int, ...]]()
        first: dict[int, tuple[int, ...]] = {}
        for place, note in sorted(
            (int(note["track"]), tuple(note[KEYS].tolist())) for note in _firsts(note_array(score))
        ):
            first[place] = (*note, begins[note])  # of those that begin alike the first, the second …
            begins[note] += 1
        for place in sorted(set(heard["track"].tolist()), key=lambda place: (first[place][0], place)):
            self._numbers.setdefault(first[place], len(self._numbers))
        return {place: self._numbers[own] for place, own in first.items() if own in self._numbers}


def _last_bar(score: Score) -> int:
    """The tick at which the bar begins in which the last note does; 0 where there is none."""
    onsets = note_array(score)["onset"]
    return int(bar_lines(score, int(onsets[-1]) + 1)[-1]) if len(onsets) else 0


def _firsts(notes: NoteArray) -> NoteArray:
    """The first note of each track, of notes in the order in which they begin."""
    found: NoteArray = notes[np.unique(notes["track"], return_index=True)[1]]
    return found
