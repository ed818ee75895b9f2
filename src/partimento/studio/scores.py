"""Scores as a page has them: plain lists in ticks, there and back.

What is edited in the page comes back as tracks of notes; the tempi, metres and controllers are those of the piece that
was edited. Leaves out: nothing of a note but its track.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from symusic.core import NoteTickList

from partimento.errors import ImpossibleRequest
from partimento.score import Note, Score, Track, bar_edges, note_array

MOST_NOTES = 200_000
MOST_TICKS = 1 << 28

Onset = Annotated[int, Field(ge=0, le=MOST_TICKS)]
Duration = Annotated[int, Field(ge=1, le=MOST_TICKS)]
Pitch = Annotated[int, Field(ge=0, le=127)]
Velocity = Annotated[int, Field(ge=1, le=127)]


class EditedTrack(BaseModel):
    """A track as a page sends it."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=200)] = ""
    program: Annotated[int, Field(ge=0, le=127)] = 0
    drums: bool = False
    notes: Annotated[list[tuple[Onset, Duration, Pitch, Velocity]], Field(max_length=MOST_NOTES)]


def told(score: Score, before: Score | None = None, begins_bar: int | None = None) -> dict[str, Any]:
    """A score as plain lists.

    Args:
        score: which.
        before: the piece that it was made of: notes that it did not have are `fresh`.
        begins_bar: the bar from which on all is `fresh`, counted from 1, where a piece was gone on with.
    """
    tracks = []
    for track in score.tracks:
        columns = track.notes.numpy()
        order = np.lexsort((columns["pitch"], columns["time"]))
        rows = np.stack([columns[name][order] for name in ("time", "duration", "pitch", "velocity")], axis=1)
        tracks.append(
            {
                "name": track.name,
                "program": int(track.program),
                "drums": bool(track.is_drum),
                "notes": rows.astype(int).tolist(),
            }
        )
    bars = bar_edges(score).tolist()
    if begins_bar is not None:
        since = bars[min(begins_bar, len(bars)) - 1]
        fresh = [[p, n] for p, track in enumerate(tracks) for n, note in enumerate(track["notes"]) if note[0] >= since]
    else:
        fresh = [] if before is None else _fresh(score, tracks, before)
    return {
        "quarter": score.ticks_per_quarter,
        "tracks": tracks,
        "tempi": [[int(tempo.time), round(float(tempo.qpm), 4)] for tempo in score.tempos] or [[0, 120.0]],
        "metres": [[int(m.time), int(m.numerator), int(m.denominator)] for m in score.time_signatures] or [[0, 4, 4]],
        "bars": bars,
        "fresh": fresh,
    }


def _fresh(score: Score, tracks: Sequence[dict[str, Any]], before: Score) -> list[list[int]]:
    """The notes that a piece did not have before, by track and place; a quarter note may have had other ticks."""
    scale = before.ticks_per_quarter / score.ticks_per_quarter
    old: Counter[tuple[int, int, int]] = Counter(
        (int(note["onset"]), int(note["pitch"]), int(note["program"])) for note in note_array(before)
    )
    found = []
    for place, track in enumerate(tracks):
        program = -1 if track["drums"] else track["program"]
        for number, (onset, _, pitch, _) in enumerate(track["notes"]):
            key = (round(onset * scale), pitch, program)
            if old[key]:
                old[key] -= 1
            else:
                found.append([place, number])
    return found


def edited(score: Score, tracks: Sequence[EditedTrack]) -> Score:
    """A piece with the notes that a page sent in place of its own.

    Args:
        score: the piece that was edited; its tempi, metres and what its tracks do beside their notes are kept: each
            track that was sent goes on with the one of its instrument that has most notes in common with it.
        tracks: what was sent.

    Raises:
        ImpossibleRequest: it has no note, or more than a piece may have.
    """
    count = sum(len(track.notes) for track in tracks)
    if not 1 <= count <= MOST_NOTES:
        raise ImpossibleRequest(f"A piece has 1 to {MOST_NOTES:,} notes, and this has {count:,}.")
    result = score.copy()
    left = list(result.tracks)
    made = []
    for sent in tracks:
        alike = [track for track in left if track.is_drum == sent.drums and track.program == sent.program]
        track = max(alike, key=lambda one: _common(one, sent), default=Track(sent.name, sent.program, sent.drums))
        left = [one for one in left if one is not track]
        track.name = sent.name
        track.notes = NoteTickList([Note(*note) for note in sorted(sent.notes)])
        made.append(track)
    result.tracks = type(result.tracks)(made)
    return result


def _common(track: Track, sent: EditedTrack) -> int:
    """How many notes two tracks have in common."""
    mine = Counter((note.time, note.pitch) for note in track.notes)
    return sum((mine & Counter((onset, pitch) for onset, _, pitch, _ in sent.notes)).values())
