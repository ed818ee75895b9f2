"""Files: scores read from and written to disk, bounded in size, checked and tidied.

Whatever is read comes out in one shape: every note has a length, no two notes of a track sound on one pitch at a time,
tempi, metres and keys are possible, tracks have notes. What was changed to get there is listed in plain words; what
cannot be read is refused with a reason and an advice. MIDI is read by symusic (Liao et al. 2023) after `repair` has
been over it, notation by way of `notation`. Leaves out: sound recordings, pictures of scores and MIDI 2.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from symusic.core import NoteTickList as NoteList

from partimento.atomic import atomic_file
from partimento.channels import CHANNELS, channels_of
from partimento.errors import PartimentoError, Unreadable
from partimento.files.repair import repair
from partimento.files.tidying import LONGEST_METRE, tidy
from partimento.files.tracks import on_channel
from partimento.isolation import isolated
from partimento.score import Score, Track, bar_lines, end_tick, seconds_at
from partimento.settings import settings

__all__ = ["SUFFIXES", "Limits", "Reading", "read", "read_bytes", "read_each", "read_safely", "to_bytes", "write"]

SUFFIXES = {
    ".mid": "midi",
    ".midi": "midi",
    ".kar": "midi",
    ".rmi": "midi",
    ".smf": "midi",
    ".musicxml": "musicxml",
    ".xml": "musicxml",
    ".mxl": "musicxml",
    ".mei": "mei",
    ".krn": "humdrum",
    ".abc": "abc",
}
"""What can be read: a file's suffix, in small letters, and its format."""


@settings
class Limits:
    """How large a file may be; larger ones are refused."""

    bytes: int = 20_000_000
    """The most bytes that a file may have, unpacked too."""
    notes: int = 500_000
    """The most notes."""
    seconds: float = 21_600.0
    """The longest that the music may last, in seconds."""
    tracks: int = 512
    """The most tracks with notes; a track that changes its instrument counts as several."""


LIMITS = Limits()


@dataclass(frozen=True)
class Reading:
    """A score that was read, and what had to be repaired in it.

    Attributes:
        score: the music: at least one note, sorted, tidy.
        repairs: what was changed, one phrase each.
    """

    score: Score
    repairs: tuple[str, ...] = ()


def read(path: Path | str, limits: Limits = LIMITS) -> Reading:
    """Read a score from a file of any kind in `SUFFIXES`.

    The tunes of an ABC book follow one another, each from a bar of its own; `read_each` gives them one by one.
    Everything happens in this process: verovio may crash on a damaged file of notation, so read many files by way of
    `isolated`, a single one with `read_safely`.

    Args:
        path: the file; its suffix, in small or capital letters, says of what kind it is.
        limits: beyond which a file is refused.

    Raises:
        Unreadable: it cannot be opened, is not what its suffix says, holds no notes, is too large or too long.
    """
    path = Path(path)
    format = _format(path)
    return read_bytes(_content(path, limits), format, limits)


def read_bytes(data: bytes, format: str, limits: Limits = LIMITS) -> Reading:
    """Read a score from a file's bytes.

    Args:
        data: all of them.
        format: one of the values of `SUFFIXES`.
        limits: beyond which a file is refused.

    Raises:
        Unreadable: as for `read`.
    """
    if format != "abc":
        return _read_midi(_midi(data, format, limits), limits)
    pieces = _read_tunes(data, limits)
    refusals = [reading for _, reading in pieces if isinstance(reading, Unreadable)]
    if len(refusals) == len(pieces):
        raise refusals[0]
    if isinstance(pieces[0][1], Reading) and len(pieces) == 1:
        return pieces[0][1]
    return _medley(pieces, limits)


def read_each(path: Path, limits: Limits = LIMITS) -> tuple[tuple[str, Reading | Unreadable], ...]:
    """Read the pieces of a file one by one: the tunes of an ABC book, or the one piece of any other file.

    Args:
        path: the file.
        limits: beyond which a piece is refused; a file too large is refused as a whole.

    Returns:
        Each piece's title, "" where there is but one piece, and what reading it gave.

    Raises:
        Unreadable: as for `read`, where none of the file can be read.
    """
    if _format(path) != "abc":
        return (("", read(path, limits)),)
    pieces = _read_tunes(_content(path, limits), limits)
    return tuple(pieces) if len(pieces) > 1 else (("", read(path, limits)),)


def read_safely(path: Path, limits: Limits = LIMITS) -> Reading:
    """Read the one file that a user has named, in a process of its own where its parser may crash.

    Raises:
        Unreadable: as for `read`, and where the parser crashes, hangs or needs too much memory; names the file.
    """
    try:
        if path.is_dir():
            raise Unreadable("It is a folder.", "Name one file in it.")
        if not path.exists():
            raise Unreadable("It is not there.", "Look whether its name is right.")
        if _format(path) == "midi":
            return read(path, limits)
        ((_, reading),) = isolated(_read, [(path, limits)], workers=1)
    except Unreadable as refusal:
        reading = refusal
    if isinstance(reading, Unreadable):
        raise Unreadable(f"{path}: {reading.reason}", reading.advice) from None
    return reading


def write(score: Score, path: Path | str) -> None:
    """Write a score as a MIDI file; it appears whole or not at all.

    Args:
        score: the music.
        path: ends in `.mid` or `.midi`; its folders are made.

    Raises:
        PartimentoError: the suffix is another.
    """
    path = Path(path)
    if path.suffix.lower() not in (".mid", ".midi"):
        raise PartimentoError(f"Scores are written as MIDI: {path.name} should end in .mid or .midi.")
    with atomic_file(path) as temporary:
        temporary.write_bytes(to_bytes(score))


def to_bytes(score: Score) -> bytes:
    """A score as a Standard MIDI File, each track on a channel of `channels`; the same score gives the same bytes."""
    data = bytes(score.dumps_midi())
    if len(score.tracks) <= len(CHANNELS):
        return data
    head, *chunks = _chunks(data)
    first = len(chunks) - len(score.tracks)  # what goes before the tracks: tempi and metres, if there are any
    moved = [
        on_channel(track, channel) for track, channel in zip(chunks[first:], channels_of(score.tracks), strict=True)
    ]
    return head + b"".join(b"MTrk" + len(track).to_bytes(4, "big") + track for track in (*chunks[:first], *moved))


def _chunks(midi: bytes) -> list[bytes]:
    """The header with its name and length, and each track's bytes without."""
    at, found = 14, [midi[:14]]
    while at < len(midi):
        end = at + 8 + int.from_bytes(midi[at + 4 : at + 8], "big")
        found.append(midi[at + 8 : end])
        at = end
    return found


def _read(item: tuple[Path, Limits]) -> Reading:
    """`read`, of one argument, for worker processes."""
    return read(*item)


def _format(path: Path) -> str:
    """What kind of file it is, by its suffix."""
    format = SUFFIXES.get(path.suffix.lower())
    if not format:
        kind = f"Files that end in {path.suffix}" if path.suffix else "Files whose name has no suffix"
        known = "MIDI (.mid), MusicXML (.musicxml, .mxl), MEI (.mei), ABC (.abc) or Humdrum (.krn)"
        raise Unreadable(f"{kind} are not read.", f"If it is music, save it as {known}.")
    return format


def _content(path: Path, limits: Limits) -> bytes:
    """All of a file's bytes."""
    try:
        if not path.is_file():
            raise Unreadable("It is not there, or is not a file.", "Look whether its name is right.")
        with path.open("rb") as file:
            data = file.read(limits.bytes + 1)
    except OSError as error:
        raise Unreadable(f"It cannot be opened ({error.strerror}).", "Look whether you may read it.") from error
    if not data:
        raise Unreadable("It is empty.", "Get the file again from where it came from, or leave it out.")
    if len(data) > limits.bytes:
        most = f"{limits.bytes / 1e6:,.3g} MB"
        raise Unreadable(f"It is larger than {most}.", "Split it, or raise the limit on bytes.")
    return data


def _midi(data: bytes, format: str, limits: Limits) -> bytes:
    """The music of a file as MIDI, whatever it is written in."""
    if format == "midi":
        return data
    from partimento.files import notation

    if data.startswith(b"PK\x03\x04"):
        data = notation.unzip(data, limits.bytes)
    return notation.engraved(data, format)


def _read_tunes(data: bytes, limits: Limits) -> list[tuple[str, Reading | Unreadable]]:
    """What reading gives for each tune of an ABC file, with its title."""
    from partimento.files import notation

    pieces: list[tuple[str, Reading | Unreadable]] = []
    for title, midi in notation.tunes(data):
        try:
            reading = _read_midi(midi, limits)
            _begin_on_time(reading.score)
            pieces.append((title, reading))
        except Unreadable as refusal:
            pieces.append((title, refusal))
    return pieces


def _begin_on_time(score: Score) -> None:
    """Undo, in place, that abc2midi begins every note a tick late."""
    lists = [track.notes.numpy() for track in score.tracks]
    if min(int(columns["time"].min()) for columns in lists) < 1:
        return
    for track, columns in zip(score.tracks, lists, strict=True):
        onset, duration = columns["time"] - 1, columns["duration"] + 1
        track.notes = NoteList.from_numpy(onset, duration, columns["pitch"], columns["velocity"])


def _read_midi(data: bytes, limits: Limits) -> Reading:
    """Read a Standard MIDI File, repaired and tidied."""
    repaired = repair(data)
    if not repaired.notes:
        raise Unreadable("It holds no notes.", "Leave it out.")
    if repaired.notes > limits.notes:
        raise Unreadable(
            f"It has {repaired.notes:,} notes; at most {limits.notes:,} are read.",
            "Split it, or raise the limit on notes.",
        )
    try:
        score = Score.from_midi(repaired.data)
    except (RuntimeError, ValueError) as error:
        raise Unreadable("It is damaged beyond repair.", "Get it again from where it came from.") from error
    lost = repaired.notes - score.note_num()
    repairs = [*repaired.repairs, *tidy(score)]
    if lost:
        repairs.append(f"{lost:,} notes could not be read")
    _check(score, limits)
    return Reading(score, tuple(repairs))


def _check(score: Score, limits: Limits) -> None:
    """Refuse a score beyond the limits."""
    if len(score.tracks) > limits.tracks:
        raise Unreadable(
            f"It has {len(score.tracks):,} tracks; at most {limits.tracks:,} are read.",
            "Join some of them, or raise the limit on tracks.",
        )
    seconds = float(seconds_at(score, np.array([end_tick(score)]))[0])
    if seconds > limits.seconds:
        raise Unreadable(
            f"It lasts {seconds / 3600:,.1f} hours; at most {limits.seconds / 3600:,.3g} are read.",
            "Look for a silence of hours or a tempo that is wrong, or raise the limit on seconds.",
        )


def _medley(pieces: list[tuple[str, Reading | Unreadable]], limits: Limits) -> Reading:
    """All tunes of a book, one after another, each from a bar of its own."""
    score, repairs, at = Score(480), [f"its {len(pieces)} tunes follow one another"], 0
    homes: dict[tuple[int, bool], Track] = {}
    for title, reading in pieces:
        if isinstance(reading, Unreadable):
            repairs.append(f"“{title}” was left out: {reading.reason}")
            continue
        repairs += [f"“{title}”: {repair}" for repair in reading.repairs]
        part = reading.score.resample(score.ticks_per_quarter, min_dur=1)
        end = end_tick(part)
        lines = bar_lines(part, end + 4 * LONGEST_METRE * part.ticks_per_quarter + 1)
        part = part.shift_time(at)
        at += int(lines[np.searchsorted(lines, end)])
        for track in part.tracks:
            home = homes.setdefault((track.program, track.is_drum), Track(track.name, track.program, track.is_drum))
            home.notes.extend(track.notes)
        score.tempos.extend(part.tempos)
        score.time_signatures.extend(part.time_signatures)
        score.key_signatures.extend(part.key_signatures)
    score.tracks = type(score.tracks)(list(homes.values()))
    tidy(score)
    _check(score, limits)
    return Reading(score, tuple(repairs))
