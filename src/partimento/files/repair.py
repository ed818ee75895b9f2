"""Repair of Standard MIDI Files, byte by byte.

Real folders hold files that were cut short, wrapped, padded, overwritten or written by careless programs, and notes
that never end. `repair` walks over the bytes as the standard lays them out (Standard MIDI Files 1.0, RP-001, MIDI
Manufacturers Association 1996) and gives a file that keeps it, with every change in plain words; a sound file comes
back as it was. No library does this: mido and symusic raise at the first fault or drop what they cannot use unseen.

Events are trusted before stated lengths: a track lasts until its end-of-track, whatever length stands at its head.
What `tracks` mends within a track is put into words here. Leaves out: absurd tempi and metres, which are looked at
where scores are made.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from partimento.errors import Unreadable
from partimento.files.tracks import END_OF_TRACK, Walked, walk

__all__ = ["Repaired", "repair"]

TICKS_PER_QUARTER = 480  # where a file does not say
MOST_CHUNKS = 4_000  # tracks and other parts; no music has as many
MOST_PHRASES = 20  # of faults that are told one by one

KINDS = (  # what else bears a MIDI file's name: how it begins, what it is, what could be done (else: get it again)
    (rb"(?i)^\s*<(!doctype html|html|head|script|!--)", "It is a web page, not music.", ""),
    (rb"^vti_", "It is a note of the program that once published the file, not the music.", ""),
    (rb"^\x00\x05\x16[\x00\x07]", "It is what macOS notes about a file.", "Look for the file beside it."),
    (rb"^(PK\x03\x04|Rar!|\x1f\x8b|7z\xbc\xaf|BZh|\xfd7zXZ|..-lh)", "It is an archive.", "Unpack it."),
    (
        rb"^(RIFF....WAVE|ID3|OggS|fLaC|FORM....AIF|\xff[\xf2-\xfb])|^.{0,32}(ftyp|mdat|moov|wide)",
        "It is a sound recording or a film, not notes.",
        "Notes cannot be read from sound here: look for the piece as MIDI.",
    ),
    (rb"^SMF2CLIP", "It is a MIDI 2.0 clip, which is not read yet.", "Save it as a Standard MIDI File (.mid)."),
    (rb"^\xf0[\x00-\x7f]+\xf7", "It holds settings of a synthesiser, not notes.", "Leave it out."),
    (rb"^%PDF|^\x89PNG|^GIF8|^\xff\xd8\xff", "It is a picture, not notes.", "Look for the piece as MIDI or MusicXML."),
    (rb"^\s*(<\?xml|<score-partwise)", "It is written in XML.", "If it is MusicXML, let its name end in .musicxml."),
    (rb"^[\t\n\r\x20-\x7e]{16,}$", "It is text, not MIDI.", ""),
)

SAID = {
    "velocity": ("a velocity above 127 was set to 127", "{n} velocities above 127 were set to 127"),
    "value": ("a controller's value above 127 was set to 127", "{n} controllers' values above 127 were set to 127"),
    "pitch": ("a note higher than MIDI's highest was left out", "{n} notes higher than MIDI's highest were left out"),
    "message": ("a message with an impossible value was left out", "{n} messages with impossible values were left out"),
    "system": ("a message foreign to files was left out", "{n} messages foreign to files were left out"),
    "meta": (
        "a damaged tempo, metre or key was mended or left out",
        "{n} damaged tempi, metres or keys were mended or left out",
    ),
    "status": (
        "an event that leant on an earlier one unlawfully was kept",
        "{n} events that leant on earlier ones unlawfully were kept",
    ),
    "endless": ("a note that never ends was ended", "{n} notes that never end were ended"),
    "length": ("a track's stated length was wrong", "the stated lengths of {n} tracks were wrong"),
    "end": ("a track without an end was given one", "{n} tracks without an end were given one"),
    "mark": ("a track with a damaged mark was read", "{n} tracks with damaged marks were read"),
    "alien": ("a part that is not MIDI was left out", "{n} parts that are not MIDI were left out"),
}


@dataclass(frozen=True)
class Repaired:
    """A Standard MIDI File that keeps the standard.

    Attributes:
        data: the file; the very bytes given where they were sound.
        notes: how many notes begin in it.
        repairs: what was changed, one phrase each; empty where nothing was.
    """

    data: bytes
    notes: int
    repairs: tuple[str, ...] = ()


@dataclass
class _Header:
    """The header chunk, as far as there is one."""

    kind: int
    tracks: int
    division: int  # ticks per quarter note
    tempo: int  # microseconds a quarter note where the file counts film frames; else 0
    first: int  # where the first track should begin


@dataclass
class _Report:
    """Faults, counted by kind, and phrases for single ones."""

    counts: Counter[str] = field(default_factory=Counter)
    phrases: list[str] = field(default_factory=list)

    def repairs(self) -> tuple[str, ...]:
        """All phrases, those of the whole file first."""
        phrases = self.phrases
        if len(phrases) > MOST_PHRASES:
            phrases = [
                *phrases[:MOST_PHRASES],
                f"{len(phrases) - MOST_PHRASES:,} more faults of such kinds were mended",
            ]
        return (*phrases, *(SAID[kind][n > 1].format(n=n) for kind, n in self.counts.items() if kind in SAID))


def repair(data: bytes) -> Repaired:
    """Make any bytes that hold MIDI tracks a file that keeps the standard.

    Args:
        data: a file's bytes: `.mid`, `.kar` or `.rmi`, whole or damaged.

    Raises:
        Unreadable: there is no MIDI track in it; the reason says what it is instead, where that can be told.
    """
    report = _Report()
    body = _unwrap(data, report)
    header = _header(body, report)
    tracks = _tracks(body, header, report)
    if header.tracks != len(tracks) and not any("breaks off" in phrase for phrase in report.phrases):
        report.phrases.append(f"the header promises {_count(header.tracks, 'track')}; {len(tracks)} were found")
    repairs = report.repairs()
    notes = sum(track.notes for track in tracks)
    if not report.counts and not report.phrases:
        return Repaired(body, notes)
    clean = [track.clean for track in tracks]
    if header.tempo:
        clean.insert(0, b"\x00\xff\x51\x03" + header.tempo.to_bytes(3, "big") + b"\x00" + END_OF_TRACK)
    head = b"MThd" + b"".join(
        n.to_bytes(size, "big") for n, size in ((6, 4), (1, 2), (len(clean), 2), (header.division, 2))
    )
    return Repaired(head + b"".join(b"MTrk" + len(t).to_bytes(4, "big") + t for t in clean), notes, repairs)


def _unwrap(data: bytes, report: _Report) -> bytes:
    """The MIDI file inside what a file may be wrapped in."""
    if data.startswith(b"MThd"):
        return data
    start = data.find(b"MThd")
    if data.startswith(b"RIFF") and data[8:12] == b"RMID" and start >= 8:
        size = int.from_bytes(data[start - 4 : start], "little")
        return data[start : start + size] if data[start - 8 : start - 4] == b"data" else data[start:]
    if start >= 0:
        report.phrases.append(f"{_count(start, 'byte')} ignored before the header")
        return data[start:]
    if b"MTrk" in data:
        return data
    raise Unreadable(*_identify(data))


def _header(data: bytes, report: _Report) -> _Header:
    """Read the header chunk, or make up for one that is missing."""
    first = data.find(b"MTrk")
    at = 0 if data.startswith(b"MThd") else first - 14
    if first < 0:
        first = min(14, len(data))
    if at < 0 or data[at + 4 : at + 8] != b"\x00\x00\x00\x06" or len(data) < at + 14:
        report.phrases.append("its header was missing or damaged, so its tempo is a guess")
        return _Header(1, data.count(b"MTrk"), TICKS_PER_QUARTER, 0, first)
    if data[at : at + 4] != b"MThd":
        report.phrases.append("its header's mark was damaged")
    kind, tracks, division = (int.from_bytes(data[at + n : at + n + 2], "big") for n in (8, 10, 12))
    if kind > 2:
        report.phrases.append(f"its format, {kind}, does not exist and was taken for 1")
    tempo = 0
    if division >= 0x8000:
        frames, ticks = 256 - (division >> 8), max(division & 255, 1)
        rate = 30_000 / 1001 if frames == 29 else float(frames)
        division = min(max(round(rate * ticks / 2), 1), 0x7FFF)
        tempo = min(round(1e6 * division / (rate * ticks)), 0xFFFFFF)
        report.phrases.append("it counts film frames, not beats, so its beats are a guess at 120 a minute")
    elif not division:
        division = TICKS_PER_QUARTER
        report.phrases.append("it does not say how long a beat is, so its tempo is a guess")
    return _Header(kind, tracks, division, tempo, at + 14)


def _tracks(data: bytes, header: _Header, report: _Report) -> list[Walked]:
    """Walk over all tracks, wherever they are."""
    tracks: list[Walked] = []
    position, delay = header.first, 0
    for _ in range(MOST_CHUNKS):
        if position >= len(data):
            break
        stop = position + 8 + int.from_bytes(data[position + 4 : position + 8], "big")
        if data[position : position + 4] != b"MTrk":
            position = _alien(data, position, stop, header, tracks, report)
            continue
        start = min(position + 8, len(data))
        plausible = stop == len(data) or data[stop : stop + 4] == b"MTrk"
        following = data.find(b"MTrk", start)
        limit = stop if plausible else following if following >= 0 else len(data)
        track = walk(data[start:limit], header.division, report.counts, delay=delay, timed=not header.tempo)
        tracks.append(track)
        if header.kind == 2:  # patterns of their own: one after another, each from a bar's beginning
            delay = -(-track.ticks // (4 * header.division)) * 4 * header.division
        end = start + track.size
        position = _after(data, track, end, stop if plausible or stop == end else None, len(tracks), report)
    if position < len(data):
        raise Unreadable(f"It has more than {MOST_CHUNKS:,} tracks.", "Leave it out: it is no music.")
    if header.kind == 2 and len(tracks) > 1:
        report.phrases.append(f"its {len(tracks)} separate pieces were laid one after another")
    return tracks


def _after(data: bytes, track: Walked, end: int, stop: int | None, number: int, report: _Report) -> int:
    """Where the next chunk may begin after a track that ends at `end`, not at `stop`; None: its length is no help."""
    if track.fate == "end":
        if end == stop:
            return end
        if stop is None or data[end : end + 4] == b"MTrk":
            report.counts["length"] += 1
            return end
        report.phrases.append(f"{_count(stop - end, 'byte')} ignored after the end of track {number}")
        return stop
    broken = stop is None and end == len(data)
    if track.fate == "open" and not broken:
        report.counts["end"] += 1
        return end
    following = data.find(b"MTrk", end)
    if broken or (following < 0 and track.fate == "cut"):
        report.phrases.append(f"it breaks off in track {number}; what is there was kept")
        return len(data)
    following = stop if stop is not None else following if following >= 0 else len(data)
    report.phrases.append(f"track {number} is damaged; its last {_count(following - end, 'byte')} were left out")
    return following


def _alien(data: bytes, position: int, stop: int, header: _Header, tracks: list[Walked], report: _Report) -> int:
    """Skip what is not a track, unless it is one with a damaged mark; say where the next chunk may begin."""
    if data[position : position + 4] == b"MThd" and len(tracks) >= header.tracks > 0:
        report.phrases.append("another file that follows within it was left out")
        return len(data)
    if stop <= len(data):
        counts: Counter[str] = Counter()
        track = walk(data[position + 8 : stop], header.division, counts, timed=not header.tempo)
        whole = track.fate == "end" and position + 8 + track.size == stop and not counts.keys() - {"endless"}
        if whole and track.notes:
            tracks.append(track)
            report.counts.update(mark=1, **counts)
            return stop
        if data[position : position + 4].isalnum():
            report.counts["alien"] += 1
            return stop
    following = data.find(b"MTrk", position)
    if (
        following < 0 or len(tracks) >= header.tracks > 0
    ):  # all are there: this is what an older, longer file left behind
        following = len(data)
    where = "before a track" if following < len(data) else "after the last track"
    report.phrases.append(f"{_count(following - position, 'byte')} ignored {where}")
    return following


def _count(number: int, thing: str) -> str:
    """A number of things: "1 byte", "2 bytes"."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def _identify(data: bytes) -> tuple[str, str]:
    """What a file without any MIDI is, and what could be done about it."""
    again = "Get the file again from where it came from, or leave it out."
    if not data.strip(b"\x00"):
        return ("It is empty." if not data else "It holds nothing but zeros."), again
    for test, reason, advice in KINDS:
        if re.search(test, data[:2000], re.DOTALL):
            return reason, advice or again
    return "There is no trace of MIDI in it.", again
