"""Channels: which of a MIDI file's sixteen each track plays on, so that each sounds as its own instrument.

Each track has a channel of its own while there are enough; else tracks of one instrument share one, and, of more than
fifteen instruments, the rarest the last. symusic gives the sixteenth track the first one's channel, whatever it plays.
Channel 9, counted from 0, is that of drums (General MIDI, MIDI Manufacturers Association 1991).
"""

from __future__ import annotations

from collections.abc import Sequence

from partimento.score import Track

__all__ = ["CHANNELS", "DRUM_CHANNEL", "channels_of"]

DRUM_CHANNEL = 9
CHANNELS = tuple(channel for channel in range(16) if channel != DRUM_CHANNEL)


def channels_of(tracks: Sequence[Track]) -> list[int]:
    """A channel for each track: its own, or its instrument's, or at last one for all rarer instruments."""
    pitched = [track for track in tracks if not track.is_drum]
    if len(pitched) <= len(CHANNELS):
        own = iter(CHANNELS)
        return [DRUM_CHANNEL if track.is_drum else next(own) for track in tracks]
    programs: dict[int, int] = {}
    for track in pitched:
        programs[track.program] = programs.get(track.program, 0) + len(track.notes)
    order = sorted(programs, key=lambda program: (-programs[program], program))
    last = len(CHANNELS) - 1
    channels = {program: CHANNELS[min(index, last)] for index, program in enumerate(order)}
    return [DRUM_CHANNEL if track.is_drum else channels[track.program] for track in tracks]
