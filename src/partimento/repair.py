"""Repair of Standard MIDI Files, byte by byte.

Real folders hold files that were cut short, wrapped, padded, overwritten or written by careless programs, and notes
that never end. `repair` walks over the bytes as the standard lays them out (Standard MIDI Files 1.0, RP-001, MIDI
Manufacturers Association 1996) and gives a file that keeps it, with every change in plain words; a sound file comes
back as it was. No library does this: mido and symusic raise at the first fault or drop what they cannot use unseen.

The walk copies whole stretches and rewrites single events, about 0.2 µs an event. It trusts events before stated
lengths: a track lasts until its end-of-track, even where the length beside its name says otherwise. Where the bytes stop
being MIDI, the track ends: what follows a loss of step would be noise. Leaves out: what a score cannot show (system
exclusive messages pass through unread) and absurd tempi and metres, which are looked at where scores are made.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from partimento.errors import Unreadable

__all__ = ["Repaired", "repair"]

END_OF_TRACK = b"\xff\x2f\x00"
TICKS_PER_QUARTER = 480  # where a file does not say
LONGEST_REST = 10_000  # quarter notes; a longer one is a fault
LAST_TICK = 2**30  # a score's ticks are 32 bits
DATA_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # of system messages; the others have none
META_BYTES = {0x51: 3, 0x58: 4, 0x59: 2}  # of the meta events that a score needs
METRONOME = b"\x18\x08"  # the usual end of a time signature

SILENCERS = (120, 123)  # controllers that end all notes of a channel
KINDS = (  # what else is met under a MIDI file's name: how it looks, what it is, what could be done (else: get it again)
    (rb"(?i)^\s*<(!doctype html|html|head|script|!--)", "It is a web page, not music.", ""),
    (rb"^vti_", "It is a note of the program that once published the file, not the music.", ""),
    (rb"^\x00\x05\x16[\x00\x07]", "It is what macOS notes about a file, not the music.", "Look for the file beside it."),
    (rb"^(PK\x03\x04|Rar!|\x1f\x8b|7z\xbc\xaf|BZh|\xfd7zXZ|.{20}\xdc\xa7\xc4\xfd|..-lh)", "It is an archive.", "Unpack it and use the files within."),
    (rb"^(RIFF....WAVE|ID3|OggS|fLaC|FORM....AIF|\xff[\xf2-\xfb])|^.{0,32}(ftyp|mdat|moov|wide)", "It is a sound recording or a film, not notes.", "Notes cannot be read from sound here: look for the piece as MIDI."),
    (rb"^SMF2CLIP", "It is a MIDI 2.0 clip, which is not read yet.", "Save it as a Standard MIDI File (.mid)."),
    (rb"^\xf0[\x00-\x7f]+\xf7", "It holds settings of a synthesiser (system exclusive messages), not notes.", "Leave it out."),
    (rb"^%PDF|^\x89PNG|^GIF8|^\xff\xd8\xff", "It is a picture, not notes.", "Look for the piece as MIDI or MusicXML."),
    (rb"^\s*<\?xml|^\s*<score-partwise", "It is written in XML.", "If it is MusicXML, give it the suffix .musicxml."),
    (rb"^[\t\n\r\x20-\x7e]{16,}$", "It is text, not MIDI.", ""),
)  # fmt: skip

SAID = {
    "velocity": ("a velocity above 127 was set to 127", "{n} velocities above 127 were set to 127"),
    "value": ("a controller's value above 127 was set to 127", "{n} controllers' values above 127 were set to 127"),
    "pitch": ("a note higher than MIDI's highest was left out", "{n} notes higher than MIDI's highest were left out"),
    "message": ("a message with an impossible value was left out", "{n} messages with impossible values were left out"),
    "system": ("a message that does not belong in a file was left out", "{n} messages that do not belong in a file were left out"),
    "meta": ("a damaged tempo, metre or key was left out", "{n} damaged tempi, metres or keys were left out"),
    "status": ("an event that leant on an earlier one across a system message was kept", "{n} events that leant on earlier ones across a system message were kept"),
    "endless": ("a note that never ends was ended", "{n} notes that never end were ended"),
    "length": ("a track's stated length was wrong", "the stated lengths of {n} tracks were wrong"),
    "end": ("a track without an end was given one", "{n} tracks without an end were given one"),
    "mark": ("a track with a damaged mark was read", "{n} tracks with damaged marks were read"),
    "alien": ("a part that is not MIDI was left out", "{n} parts that are not MIDI were left out"),
}  # fmt: skip


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
class _Track:
    """What a walk over a track found."""

    clean: bytes  # events that keep the standard, up to and with the end-of-track
    size: int  # bytes walked over
    notes: int
    ticks: int
    fate: str  # how it ended: "end" (end-of-track), "open" (after an event), "cut" (within one) or "damaged"


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
        return (*self.phrases, *(SAID[kind][n > 1].format(n=n) for kind, n in self.counts.items()))


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
    if not repairs:
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
    if at:
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


def _tracks(data: bytes, header: _Header, report: _Report) -> list[_Track]:
    """Walk over all tracks, wherever they are."""
    tracks: list[_Track] = []
    position, delay = header.first, 0
    while position < len(data):
        stop = position + 8 + int.from_bytes(data[position + 4 : position + 8], "big")
        if data[position : position + 4] != b"MTrk":
            position = _alien(data, position, stop, header, tracks, report)
            continue
        start = min(position + 8, len(data))
        plausible = stop == len(data) or data[stop : stop + 4] == b"MTrk"
        following = data.find(b"MTrk", start)
        limit = stop if plausible else following if following >= 0 else len(data)
        track = _walk(data[start:limit], header, report.counts, delay)
        tracks.append(track)
        if header.kind == 2:  # patterns of their own: one after another, each from a bar's beginning
            delay = -(-track.ticks // (4 * header.division)) * 4 * header.division
        position = _after(data, track, start + track.size, stop if plausible else None, len(tracks), report)
        if start + track.size > stop or (track.fate == "end" and stop > len(data)):
            report.counts["length"] += 1
    if header.kind == 2 and len(tracks) > 1:
        report.phrases.append(f"its {len(tracks)} separate pieces were laid one after another")
    return tracks


def _after(data: bytes, track: _Track, end: int, stop: int | None, number: int, report: _Report) -> int:
    """Where the next chunk may begin, after a track that ends at `end` and should at `stop`; None: who knows."""
    if track.fate == "end":
        if end == stop or stop is None:
            return end
        if data[end : end + 4] == b"MTrk":
            report.counts["length"] += 1
            return end
        report.phrases.append(f"{_count(stop - end, 'byte')} ignored after the end of track {number}")
        return stop
    if track.fate == "open":
        report.counts["end"] += 1
        return end
    following = data.find(b"MTrk", end)
    if following < 0 and track.fate == "cut":
        report.phrases.append(f"it breaks off in track {number}; what is there was kept")
        return len(data)
    following = stop if stop is not None else following if following >= 0 else len(data)
    report.phrases.append(f"track {number} is damaged; its last {_count(following - end, 'byte')} were left out")
    return following


def _alien(data: bytes, position: int, stop: int, header: _Header, tracks: list[_Track], report: _Report) -> int:
    """Skip what is not a track, unless it is one with a damaged mark; say where the next chunk may begin."""
    if data[position : position + 4] == b"MThd" and len(tracks) >= header.tracks > 0:
        report.phrases.append("another file that follows within it was left out")
        return len(data)
    if stop <= len(data):
        counts: Counter[str] = Counter()
        track = _walk(data[position + 8 : stop], header, counts, 0)
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


def _walk(track: bytes, header: _Header, faults: Counter[str], delay: int) -> _Track:
    """Walk over a track's events, mending what can be.

    Args:
        track: the bytes from after the chunk's length on; they may go on beyond the track's end.
        header: what its ticks mean.
        faults: counts what is mended.
        delay: ticks by which all is put off.
    """
    longest = max(LONGEST_REST * header.division, 2**21)
    sounding = [0] * 2048  # notes begun and not ended, by channel and pitch
    pieces: list[bytes] = []  # the clean track, but for the stretch that begins at `kept`
    position = begin = kept = status = notes = 0
    now = carry = delay  # `carry`: ticks of what was left out, owed to the next event
    restate = delay > 0  # whether the next event must be written out in full
    fate = "open"
    stop = len(track)
    try:
        while position < stop:
            begin = position
            delta = track[position]
            position += 1
            if delta > 127:
                delta, position = _number(track, begin)
                if delta > longest or now + delta > LAST_TICK:
                    if track[position : position + 2] != b"\xff\x2f":
                        raise ValueError("a rest of hours")
                    carry, restate = -delta, True
            now += delta
            byte = track[position]
            if byte > 127:
                position += 1
                if byte < 0xF0:
                    status = byte
            elif status > 0:
                byte = status
            elif status < 0:
                byte = status = -status
                faults["status"] += 1
                restate = True
            else:
                raise ValueError("data without a status")
            if byte < 0xC0 or 0xE0 <= byte < 0xF0:
                first, second = track[position], track[position + 1]
                position += 2
                if first > 127 or second > 127:
                    first, second = _clamp(byte, first, second, faults)
                    restate = True
                if byte < 0xA0 and first < 128:
                    key = (byte & 15) << 7 | first
                    if byte >= 0x90 and second:
                        notes += 1
                        sounding[key] += 1
                    elif sounding[key]:
                        sounding[key] -= 1
                if not restate:
                    continue
                message = bytes((byte, first, second)) if first < 128 else b""
            elif byte < 0xE0:
                first = track[position]
                position += 1
                if first < 128 and not restate:
                    continue
                message = bytes((byte, first)) if first < 128 else b""
                faults["message"] += first > 127
            else:
                start = position - 1
                message, position = _system(track, start, header, faults)
                if byte != 0xFF:
                    status = -abs(status)
                elif track[start + 1] == 0x2F:
                    fate, stop = "end", position
                if not restate and position - start == len(message):
                    continue
            pieces.append(track[kept:begin])
            kept = position
            if message:
                pieces.append(_vlq(max(delta + carry, 0)) + message)
                carry, restate = 0, False
            else:
                carry, restate = carry + delta, True
        begin = position
    except IndexError:
        fate = "cut"
    except ValueError:
        fate = "damaged"
    pieces.append(track[kept:begin])
    if fate != "end":
        pieces.append(b"\x00" + END_OF_TRACK)
    clean = b"".join(pieces)
    faults += Counter()  # forget kinds that were counted zero times
    if any(sounding):
        faults["endless"] += sum(sounding)
        clean = _end_notes(clean, {key for key, n in enumerate(sounding) if n}, header.division)
    return _Track(clean, begin, notes, now, fate)


def _number(track: bytes, position: int) -> tuple[int, int]:
    """A number of variable length and where it ends; ValueError where it is longer than the standard's four bytes."""
    number = 0
    for end in range(position + 1, position + 5):
        byte = track[end - 1]
        number = number << 7 | byte & 127
        if byte < 128:
            return number, end
    raise ValueError("a number too long")


def _vlq(number: int) -> bytes:
    """A number of variable length, as the standard writes it."""
    digits = [number & 127]
    while number := number >> 7:
        digits.append(number & 127 | 128)
    return bytes(reversed(digits))


def _clamp(status: int, first: int, second: int, faults: Counter[str]) -> tuple[int, int]:
    """Two data bytes that can be; the first stays above 127 where the message must go."""
    if status >= 0xE0:
        faults["value"] += 1
        return min(first, 127), min(second, 127)
    if first > 127:
        faults["pitch" if status < 0xB0 else "message"] += 1
    else:
        faults["velocity" if status < 0xB0 else "value"] += 1
    return first, min(second, 127)


def _system(track: bytes, start: int, header: _Header, faults: Counter[str]) -> tuple[bytes, int]:
    """A system message or meta event as it should be (empty: left out), and where it ends."""
    status = track[start]
    if status not in (0xF0, 0xF7, 0xFF):
        end = start + 1 + DATA_BYTES.get(status, 0)
        faults["system"] += 1
        return b"", end
    meta = status == 0xFF
    size, body = _number(track, start + 1 + meta)
    end = body + size
    if end > len(track):
        raise IndexError("an event goes on beyond the end")
    if not meta:
        return track[start:end], end
    kind = track[start + 1]
    if kind > 127:
        raise ValueError("a meta event of no kind")
    wanted = META_BYTES.get(kind, size)
    if kind == 0x51 and header.tempo:
        return b"", end
    if size == wanted:
        return track[start:end], end
    faults["meta"] += 1
    content = track[body:end] + (METRONOME if kind == 0x58 and size == 2 else b"")
    return (bytes((0xFF, kind, wanted)) + content[:wanted] if len(content) >= wanted else b""), end


def _messages(track: bytes) -> Iterator[tuple[int, bytes]]:
    """Each event of a clean track: ticks since the one before, and the message with its status."""
    position = status = 0
    while position < len(track):
        delta, position = _number(track, position)
        byte = track[position]
        if byte >= 0xF0:
            size, body = _number(track, position + 1 + (byte == 0xFF))
            yield delta, track[position : body + size]
            position = body + size
            continue
        if byte > 127:
            status = byte
            position += 1
        size = 1 if 0xC0 <= status < 0xE0 else 2
        yield delta, bytes((status,)) + track[position : position + size]
        position += size


def _end_notes(track: bytes, endless: set[int], quarter: int) -> bytes:
    """End each note that never ends: where its pitch begins anew, where all notes are ended, or with the track's last event.

    Args:
        track: a clean track.
        endless: channels and pitches (channel × 128 + pitch) with more beginnings than ends.
        quarter: ticks that a note lasts which begins with the track's last event.
    """
    pieces: list[bytes] = []
    sounding: dict[int, int] = {}  # how many notes of a channel and pitch
    begun: dict[int, int] = {}  # the tick at which the latest of them began
    now = 0
    for delta, message in _messages(track):
        status, channel, key = message[0] >> 4, message[0] & 15, (message[0] & 15) << 7 | message[1]
        last = message[:2] == END_OF_TRACK[:2]
        ends: list[int] = []
        wait = delta
        if last:
            ends = list(sounding)
            wait = quarter if any(begun[k] == now for k in ends) else 0
            delta = max(delta - wait, 0) if ends else delta
        elif status == 9 and message[2]:
            ends = [key] if key in endless and key in sounding else []
        elif status == 11 and message[1] in SILENCERS:
            ends = [k for k in sounding if k >> 7 == channel and k in endless]
        for k in ends:
            for _ in range(sounding.pop(k)):
                pieces.append(_vlq(wait) + bytes((0x80 | k >> 7, k & 127, 64)))
                now += wait
                wait = 0
        pieces.append(_vlq(delta if last or not ends else 0) + message)
        now += wait
        if status == 9 and message[2]:
            sounding[key] = sounding.get(key, 0) + 1
            begun[key] = now
        elif status in (8, 9) and sounding.get(key):
            sounding[key] -= 1
            if not sounding[key]:
                del sounding[key]
    return b"".join(pieces)


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
