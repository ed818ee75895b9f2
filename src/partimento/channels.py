"""Channels: which of a MIDI file's sixteen each track plays on, so that each sounds as its own instrument.

Each track has a channel of its own while there are enough; else tracks of one instrument share one, and, of more than
fifteen instruments, the rarest the last. symusic gives the sixteenth track the first one's channel, whatever it plays.
Channel 9, counted from 0, is that of drums (General MIDI, MIDI Manufacturers Association 1991).
"""

from __future__ import annotations

from collections.abc import Sequence

from partimento.score import Track

__all__ = ["CHANNELS", "DRUM_CHANNEL", "channels_of", "on_channel"]

DRUM_CHANNEL = 9
CHANNELS = tuple(channel for channel in range(16) if channel != DRUM_CHANNEL)
ONE_BYTE = (0xC, 0xD)  # channel messages that have one byte of data; the others have two
META, SYSTEM_EXCLUSIVE = 0xFF, (0xF0, 0xF7)


def channels_of(tracks: Sequence[Track]) -> list[int]:
    """A channel for each track: its own, or its instrument's, or at last one for all rarer instruments."""
    pitched = [track for track in tracks if not track.is_drum]
    if len(pitched) <= len(CHANNELS):
        own = dict(zip(map(id, pitched), CHANNELS, strict=False))
        return [DRUM_CHANNEL if track.is_drum else own[id(track)] for track in tracks]
    programs: dict[int, int] = {}
    for track in pitched:
        programs[track.program] = programs.get(track.program, 0) + len(track.notes)
    order = sorted(programs, key=lambda program: (-programs[program], program))
    last = len(CHANNELS) - 1
    channels = {program: CHANNELS[min(index, last)] for index, program in enumerate(order)}
    return [DRUM_CHANNEL if track.is_drum else channels[track.program] for track in tracks]


def on_channel(chunk: bytes, channel: int) -> bytes:
    """A track's events, each with its status, on another channel.

    Args:
        chunk: the bytes of a track chunk after its length.
        channel: 0 to 15.
    """
    moved, at = bytearray(chunk), 0
    while at < len(chunk):
        _, at = _number(chunk, at)  # the time since the event before
        status = chunk[at]
        if status == META or status in SYSTEM_EXCLUSIVE:
            length, at = _number(chunk, at + 1 + (status == META))
            at += length
        else:
            moved[at] = status & 0xF0 | channel
            at += 2 if status >> 4 in ONE_BYTE else 3
    return bytes(moved)


def _number(chunk: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    number = 0
    while True:
        byte, at = chunk[at], at + 1
        number = number << 7 | byte & 127
        if byte < 128:
            return number, at
