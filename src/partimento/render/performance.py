"""Performance: a score as MIDI bytes that any synthesiser plays as it was meant, and none stumbles over.

The tempo map is played out beforehand (the bytes have one tempo, and ticks of 1/`TICKS` s), each track has a channel of
its own while there are enough, a note struck again while it sounds ends first, and of the controllers only those stay
that General MIDI (1991) names and both synthesisers know. What electronic kits alone have (`EDGES`, as the Groove MIDI
data set maps it: Gillick et al. 2019) sounds as what General MIDI has of the kind. Music that is soft throughout is
played louder: synthesisers drop what is below a thousandth of full scale, and the sound is brought to one peak anyhow.
Leaves out: banks, system exclusive messages and tuning.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from partimento.channels import DRUM_CHANNEL, channels_of
from partimento.errors import PartimentoError
from partimento.score import Score, Track, seconds_at

TICKS = 10_000  # a second
LEAST_NOTE = 0.02  # seconds; shorter ones would not be heard
CONTROLLERS = (1, 7, 10, 11, 64, 91, 93)  # modulation, volume, pan, expression, hold, reverb, chorus
VOLUME, HOLD = 7, 64
DEFAULT_VOLUME = 100
LOUDEST_AT_LEAST = 64  # velocity
WIDEST_BEND = 24  # semitones; samples played far above their pitch are no music

EDGES = {22: 42, 26: 46}  # the edge of an electronic kit's hi-hat, closed and open, for which SoundFonts have no sound

Event = tuple[int, int, bytes]  # tick, order within the tick, message (or several, with 0 ticks between)
OFF, CONTROL, PROGRAM, ON = range(4)


def performance(score: Score, seconds: float, tail: float, volume: float) -> bytes:
    """A Standard MIDI File of format 0 that plays a score.

    Args:
        score: the music.
        seconds: where to stop playing.
        tail: seconds of silence to add, in which the sound dies away.
        volume: each channel's volume is multiplied by this (0..1).

    Raises:
        PartimentoError: a tempo that nobody can play.
    """
    events = sorted(_events(score, seconds, volume), key=lambda event: event[:2])
    body = bytearray(b"\x00\xff\x51\x03" + (1_000_000).to_bytes(3, "big"))
    now = 0
    for tick, _, message in events:
        body += _variable_length(tick - now) + message
        now = tick
    end = max(round((seconds + tail) * TICKS), now)
    body += _variable_length(end - now) + b"\xff\x2f\x00"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS) + b"MTrk" + struct.pack(">I", len(body)) + bytes(body)


def play_seconds(score: Score, ticks: NDArray[np.int64]) -> NDArray[np.float64]:
    """When each tick is played, in seconds from the beginning.

    Raises:
        PartimentoError: a tempo that nobody can play.
    """
    for tempo in score.tempos:
        if not tempo.qpm > 0:
            raise PartimentoError(f"A tempo of {tempo.qpm:g} quarter notes a minute cannot be played.")
    return np.maximum(seconds_at(score, np.maximum(ticks, 0)), 0.0)


def _events(score: Score, seconds: float, volume: float) -> Iterator[Event]:
    tracks = [track for track in score.tracks if len(track.notes)]
    shared = channels_of(tracks)
    loudest = max((int(track.notes.numpy()["velocity"].max()) for track in tracks), default=0)
    louder = max(LOUDEST_AT_LEAST / max(loudest, 1), 1.0)
    for channel in sorted(set(shared)):
        mine = [track for track, own in zip(tracks, shared, strict=True) if own == channel]
        yield 0, CONTROL, bytes((0xB0 | channel, VOLUME, round(DEFAULT_VOLUME * volume)))
        yield 0, PROGRAM, bytes((0xC0 | channel, mine[0].program & 127))
        for track in mine:
            yield from _controls(score, track, channel, seconds, volume)
        yield from _notes(score, mine, channel, seconds, louder)


def _notes(score: Score, tracks: list[Track], channel: int, seconds: float, louder: float) -> Iterator[Event]:
    """Notes of one channel; where it has several programs, each note is preceded by its own."""
    columns = [track.notes.numpy() for track in tracks]
    onset = np.concatenate([c["time"] for c in columns]).astype(np.int64)
    duration = np.concatenate([c["duration"] for c in columns]).astype(np.int64)
    pitch = np.clip(np.concatenate([c["pitch"] for c in columns]).astype(np.int64), 0, 127)
    if channel == DRUM_CHANNEL:
        for edge, key in EDGES.items():
            pitch[pitch == edge] = key
    velocity = np.rint(np.concatenate([c["velocity"] for c in columns]) * louder).clip(1, 127).astype(np.int64)
    program = np.concatenate([np.full(len(t.notes), t.program & 127) for t in tracks])
    last = int(np.ceil(seconds * TICKS))
    begin, end = (
        np.rint(np.minimum(play_seconds(score, ticks) * TICKS, 2**40)).astype(np.int64)
        for ticks in (onset, onset + np.maximum(duration, 0))
    )
    end = np.minimum(np.maximum(end, begin + round(LEAST_NOTE * TICKS)), last)
    order = np.lexsort((-end, begin, pitch))
    order = order[begin[order] < last]
    again = np.zeros(len(order), dtype=bool)  # struck twice at once: the longer one, which comes first, stays
    again[1:] = (np.diff(pitch[order]) == 0) & (np.diff(begin[order]) == 0)
    order = order[~again]
    follows = np.diff(pitch[order]) == 0
    end[order[:-1]] = np.where(follows, np.minimum(end[order[:-1]], begin[order[1:]]), end[order[:-1]])
    several = channel != DRUM_CHANNEL and len({track.program for track in tracks}) > 1
    columns_in_order = (a[order].tolist() for a in (begin, end, pitch, velocity, program))
    for start, stop, key, force, voice in zip(*columns_in_order, strict=True):
        if several:
            yield start, ON, bytes((0xC0 | channel, voice))
        yield start, ON, bytes((0x90 | channel, key, force))
        yield stop, OFF, bytes((0x80 | channel, key, 64))


def _controls(score: Score, track: Track, channel: int, seconds: float, volume: float) -> Iterator[Event]:
    """Controllers, pedals and pitch bends, and of registered parameters the bend's range."""
    parameter = [127, 127]
    changes = [(c.time, c.number, min(max(c.value, 0), 127)) for c in track.controls]
    if not any(number == HOLD for _, number, _ in changes):
        changes += [(p.time, HOLD, 127) for p in track.pedals]
        changes += [(p.time + max(p.duration, 0), HOLD, 0) for p in track.pedals]
    messages: list[tuple[int, bytes]] = []
    for time, number, value in sorted(changes, key=lambda change: change[0]):
        control = 0xB0 | channel
        if number in (100, 101):
            parameter[101 - number] = value
        elif number == 6 and parameter == [0, 0]:
            messages.append(
                (time, bytes((control, 101, 0, 0, control, 100, 0, 0, control, 6, min(value, WIDEST_BEND))))
            )
        elif number in CONTROLLERS:
            value = round(value * volume) if number == VOLUME else value
            messages.append((time, bytes((control, number, value))))
    for bend in track.pitch_bends:
        value = min(max(bend.value, -8192), 8191) + 8192
        messages.append((bend.time, bytes((0xE0 | channel, value & 127, value >> 7))))
    at = play_seconds(score, np.array([time for time, _ in messages], dtype=np.int64))
    for second, (_, message) in zip(at.tolist(), messages, strict=True):
        if second < seconds:
            yield round(second * TICKS), CONTROL, message


def _variable_length(number: int) -> bytes:
    """A number in groups of seven bits, the last marked by a clear high bit."""
    groups = [number & 127]
    while number := number >> 7:
        groups.append(number & 127 | 128)
    return bytes(reversed(groups))
