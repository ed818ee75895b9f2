"""The tutorials' way: one token a note or chord, neither rhythm nor rests nor a chord's octaves.

Skúli Sigurgeirsson's "How to Generate Music using a LSTM Neural Network in Keras" (2017) and its descendants read a
file with music21, take the first instrument (`partitionByInstrument(...).parts[0].recurse()`) and keep `str(pitch)` of
each note and the normal order of each chord. `extract` gives what music21 gave when the tutorials were written
(versions 4 and 5), on our scores: the songs that `xiaohuiduan/lstm-music` extracted come out the same token for token
(docs/codecs/chords.md tells of the one exception). It is done differently where music21 found nothing: 20 of the 92
songs have a track whose name music21 takes for an instrument of its own, which comes first and plays no note; the first
instrument that plays is taken here, or all of them on request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from partimento.codec import Request
from partimento.codecs.chords.naming import NOTE_NAMES, PITCHES, normal_order
from partimento.score import Note, NoteArray, Score, Tempo, TimeSignature, Track

# Track names that tell what plays: two tracks of such a name need not be one track of the file.
_PLAYERS = {"piano", "organ", "guitar", "bass", "strings", "violin", "viola", "cello", "flute", "oboe", "clarinet"}
_PLAYERS |= {"bassoon", "trumpet", "trombone", "horn", "tuba", "saxophone", "harp", "voice", "choir", "vocals"}

STEPS_PER_BEAT = 2  # the tutorials play a token each half beat
STEPS_PER_BAR = 8
SECONDS_PER_STEP = 0.25
_TICKS_PER_STEP = 240
_NOTE = np.dtype([("onset", np.int64), ("end", np.int64), ("pitch", np.int64)])
_TICKS_PER_BEAT = _TICKS_PER_STEP * STEPS_PER_BEAT


def extract(score: Score, instruments: Literal["first", "all"] = "first") -> list[str]:
    """The tutorials' tokens of a piece, in the order of time; drums give none.

    Args:
        score: the piece.
        instruments: the first that plays, as in the tutorials, or all, their chords apart.
    """
    tracks = _tracks(score, every=instruments == "all")
    found = [group for index, notes in enumerate(tracks) for group in _groups(notes, index, score.ticks_per_quarter)]
    found.sort(key=lambda group: group[:2])
    return [word(pitches) for _, _, pitches in found]


def word(pitches: Sequence[int]) -> str:
    """The tutorials' token of the notes of one note or chord."""
    if len(pitches) == 1:
        return NOTE_NAMES[pitches[0]]
    return ".".join(map(str, normal_order(pitches)))


def word_pitches(token: str) -> tuple[int, ...]:
    """The pitches that a token sounds: a chord's in the octave from middle C on, as music21's `Note(0..11)`.

    A single pitch class was an octave or a unison, and sounds as an octave (the tutorials play one note).
    """
    if token in PITCHES:
        return (PITCHES[token],)
    classes = [int(digits) % 12 for digits in token.split(".")]
    if len(classes) == 1:
        return (60 + classes[0], 72 + classes[0])
    return tuple(sorted({60 + pitch_class for pitch_class in classes}))


def _tracks(score: Score, *, every: bool) -> list[NoteArray]:
    """The notes of each of the file's tracks that the first instrument plays, or any, each in the order of time.

    A score has a track for each channel and program of a file's track; those of one name are put together again, for
    music21 makes chords across the channels of a track.
    """
    playing = [(index, track) for index, track in enumerate(score.tracks) if len(track.notes) and not track.is_drum]
    if not playing:
        return []
    first = playing[0][1].program
    members: dict[tuple[int, str], list[int]] = {}
    for index, track in playing:
        if every or track.program == first:
            name = track.name.strip()
            own = not name or name.lower() in _PLAYERS
            members.setdefault((track.program, f"\0{index}" if own else name), []).append(index)
    return [_notes([score.tracks[index] for index in indices]) for indices in members.values()]


def _notes(tracks: Sequence[Track]) -> NoteArray:
    """(N,) the notes of tracks with their `onset`, `end` and `pitch`, by onset; where that is one as they stood."""
    columns = [track.notes.numpy() for track in tracks]
    notes = np.empty(sum(len(track.notes) for track in tracks), dtype=_NOTE)
    notes["onset"] = np.concatenate([column["time"] for column in columns])
    notes["end"] = notes["onset"] + np.concatenate([column["duration"] for column in columns])
    notes["pitch"] = np.concatenate([column["pitch"] for column in columns])
    return np.asarray(notes[np.argsort(notes["onset"], kind="stable")])


def _groups(notes: NoteArray, track: int, ticks_per_beat: int) -> Iterable[tuple[int, int, list[int]]]:
    """Notes of a track that start and end together, within a sixteenth of a beat, as music21's MIDI import has them.

    Yields:
        The quantised onset in twelfths of a beat, the track, and the pitches.
    """
    near = ticks_per_beat / 16
    onsets, ends, pitches = (notes[name].tolist() for name in ("onset", "end", "pitch"))
    quantised = _quantise(notes["onset"], ticks_per_beat).tolist()
    gathered = bytearray(len(onsets))
    for i, onset in enumerate(onsets):
        if gathered[i]:
            continue
        group = [pitches[i]]
        j = i + 1
        while j < len(onsets) and onsets[j] - onset <= near:
            if abs(ends[j] - ends[i]) <= near:
                group.append(pitches[j])
                gathered[j] = 1
            j += 1
        yield quantised[i], track, group


def _quantise(ticks: NDArray[np.int64], ticks_per_beat: int) -> NDArray[np.int64]:
    """The nearest quarter or third of a beat, in twelfths; of two that are as near the quarter, then the earlier."""
    at = ticks * 12  # in units in which a twelfth is ticks_per_beat
    candidates = []
    for twelfths in (3, 4):
        unit = twelfths * ticks_per_beat
        below = at // unit
        candidates.append((below + (2 * (at - below * unit) > unit)) * twelfths)
    quarter, third = candidates
    nearer = np.abs(third * ticks_per_beat - at) < np.abs(quarter * ticks_per_beat - at)
    return np.where(nearer, third, quarter)


def play(chords: Sequence[tuple[int, ...]], program: int) -> Score:
    """A chord each half beat at 120 beats a minute, each a beat long as the tutorials write them.

    A chord ends sooner, after half a beat, where a pitch of it sounds again (MIDI cannot hold a pitch twice) and at
    the end, so that n chords last n half beats.
    """
    score = Score(_TICKS_PER_BEAT)
    score.tempos.append(Tempo(0, 120.0))
    score.time_signatures.append(TimeSignature(0, 4, 4))
    track = Track("", program, False)
    for step, chord in enumerate(chords):
        after = chords[step + 1] if step + 1 < len(chords) else chord
        length = _TICKS_PER_STEP if set(chord) & set(after) else 2 * _TICKS_PER_STEP
        for pitch in chord:
            track.notes.append(Note(step * _TICKS_PER_STEP, length, pitch, 90))
    if chords:
        score.tracks.append(track)
    return score


class ClassicGrammar:
    """Any token may follow any other; bars are of eight tokens, seconds of four, and notes are counted.

    Neither silence nor a stuck note can be written. A number of notes that the vocabulary's chords cannot add up to
    (of two-note chords alone, an odd one) is come as near to as they can from below.
    """

    keeps_key: ClassVar[bool] = False

    def __init__(self, sizes: NDArray[np.int64], eos: int) -> None:
        self.acted: Counter[str] = Counter()
        self._sizes = sizes  # (V,) notes of each id, 0 for the special ids
        self._eos = eos
        self._some = sizes > 0
        self._end = np.zeros(len(sizes), dtype=np.bool_)
        self._end[eos] = True
        self.start(Request())

    def start(self, request: Request) -> None:
        """Begin a new piece."""
        self.acted.clear()
        self._request = request
        self._written = 0
        self.begin()

    def begin(self) -> None:
        """The prompt is over; a bar that it left unfinished is its own and is filled up first."""
        unfinished = -self._written % STEPS_PER_BAR
        self._written = 0
        self._steps: int | None = None
        self._notes: int | None = None
        if self._request.bars is not None:
            self._steps = STEPS_PER_BAR * self._request.bars + unfinished
        elif self._request.seconds is not None:
            self._steps = int(self._request.seconds / SECONDS_PER_STEP + 1e-9)
        elif self._request.notes is not None:
            self._notes, self._reachable = _reachable(self._sizes, self._request.notes)

    def advance(self, id: int) -> None:
        """Take note of the next id."""
        size = int(self._sizes[id]) if 0 <= id < len(self._sizes) else 0
        if size:
            self._written += 1
            if self._notes is not None:
                self._notes = max(self._notes - size, 0)

    def beyond(self) -> None:
        """Nothing: when the length is reached there is nothing but the end."""

    def mask(self) -> NDArray[np.bool_]:
        """(V,) what may come next."""
        if self._steps is not None:
            return (self._some if self._written < self._steps and self._some.any() else self._end).copy()
        if self._notes is not None:
            fits = self._some & (self._sizes <= self._notes)
            fits &= self._reachable[np.maximum(self._notes - self._sizes, 0)]
            return fits if fits.any() else self._end.copy()
        mask = self._some.copy()
        mask[self._eos] = self._written > 0 or not mask.any()
        return mask


def _reachable(sizes: NDArray[np.int64], most: int) -> tuple[int, NDArray[np.bool_]]:
    """The greatest number of notes up to `most` that chords add up to, and (most+1,) whether each number is one."""
    kinds = sorted({int(size) for size in sizes if size > 0})
    reachable = np.zeros(most + 1, dtype=np.bool_)
    reachable[0] = True
    for n in range(1, most + 1):
        reachable[n] = any(n >= size and reachable[n - size] for size in kinds)
    return int(reachable.nonzero()[0][-1]), reachable
