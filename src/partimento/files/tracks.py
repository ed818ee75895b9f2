"""A track's bytes: a walk over its events that mends what can be mended.

The events of a Standard MIDI File's track chunk (Standard MIDI Files 1.0, RP-001, MIDI Manufacturers Association 1996):
a time since the last one, then a channel message, whose status may be left out where it repeats, a system message or a
meta event. The walk copies whole stretches and rewrites single events, about 0.3 µs an event. Where the bytes stop
being MIDI, it ends: what follows a loss of step would be noise. Leaves out: what a score cannot show. System exclusive
messages pass through unread, but escapes (0xF7) are left out, for symusic 0.6 takes them for other than they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["END_OF_TRACK", "Walked", "messages", "on_channel", "walk"]

END_OF_TRACK = b"\xff\x2f\x00"
LONGEST_REST = 10_000  # quarter notes; a longer one is a fault
MOST_NOTES = 2_000_000  # of which ends are looked for: more are no music, and would take minutes
LAST_TICK = 2**30  # a score's ticks are 32 bits
DATA_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # of system messages; the others have none
META_BYTES = {0x2F: 0, 0x51: 3, 0x58: 4, 0x59: 2}  # of the meta events that a score needs
METRONOME = b"\x18\x08"  # the usual end of a time signature
SILENCERS = (120, 123)  # controllers that end all notes of a channel


@dataclass(frozen=True)
class Walked:
    """What a walk over a track found.

    Attributes:
        clean: events that keep the standard, up to and with the end-of-track.
        size: bytes walked over.
        notes: how many begin.
        ticks: from the track's beginning to its end.
        fate: how it ended: "end" (end-of-track), "open" (after an event), "cut" (within one) or "damaged".
    """

    clean: bytes
    size: int
    notes: int
    ticks: int
    fate: str


def walk(track: bytes, division: int, faults: Counter[str], *, delay: int = 0, timed: bool = True) -> Walked:
    """Walk over a track's events, mending what can be.

    Args:
        track: the bytes from after the chunk's length on; they may go on beyond the track's end.
        division: ticks per quarter note.
        faults: counts what is mended, by kind; `repair` has the words.
        delay: ticks by which all is put off.
        timed: whether its tempi mean anything; else they are left out.
    """
    longest = max(LONGEST_REST * division, 2**21)
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
                if not message:
                    faults["message"] += 1
            else:
                start = position - 1
                message, position = _system(track, start, timed, faults)
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
                carry, restate = 0, restate and message[0] >= 0xF0  # which says no status for what comes after it
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
    if any(sounding) and notes <= MOST_NOTES:
        faults["endless"] += sum(sounding)
        clean = _end_notes(clean, {key for key, n in enumerate(sounding) if n}, division)
    return Walked(clean, begin, notes, now, fate)


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


def _system(track: bytes, start: int, timed: bool, faults: Counter[str]) -> tuple[bytes, int]:
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
    if status == 0xF7:
        faults["escape"] += 1
        return b"", end
    if status == 0xF0:
        return track[start:end], end
    kind = track[start + 1]
    if kind > 127:
        raise ValueError("a meta event of no kind")
    wanted = META_BYTES.get(kind, size)
    if kind == 0x51 and not timed:
        return b"", end
    if size == wanted:
        return track[start:end], end
    faults["meta"] += 1
    content = track[body:end] + (METRONOME if kind == 0x58 and size == 2 else b"")
    return (bytes((0xFF, kind, wanted)) + content[:wanted] if len(content) >= wanted else b""), end


def messages(track: bytes) -> Iterator[tuple[int, bytes]]:
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


def on_channel(track: bytes, channel: int) -> bytes:
    """A clean track whose channel messages are all on one channel, 0 to 15."""
    pieces = []
    for delta, message in messages(track):
        first = message[0] if message[0] >= 0xF0 else message[0] & 0xF0 | channel
        pieces.append(_vlq(delta) + bytes((first,)) + message[1:])
    return b"".join(pieces)


def _end_notes(track: bytes, endless: set[int], quarter: int) -> bytes:
    """End each note that never ends: where its pitch begins anew, where all are silenced, or with the last event.

    Args:
        track: a clean track.
        endless: channels and pitches (channel × 128 + pitch) with more beginnings than ends.
        quarter: ticks that a note lasts which begins with the track's last event.
    """
    pieces: list[bytes] = []
    sounding: dict[int, int] = {}  # how many notes of a channel and pitch
    begun: dict[int, int] = {}  # the tick at which the latest of them began
    now = 0
    for delta, message in messages(track):
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
