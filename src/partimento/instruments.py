"""The names of instruments by program number (General MIDI level 1, MIDI Manufacturers Association 1991)."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from partimento.errors import ImpossibleRequest

__all__ = ["DRUMS", "INSTRUMENTS", "instrument_name", "numbered", "program_named", "programs_named", "require_programs"]

GENERAL_MIDI = """
    Acoustic Grand Piano, Bright Acoustic Piano, Electric Grand Piano, Honky-tonk Piano, Electric Piano 1,
    Electric Piano 2, Harpsichord, Clavinet, Celesta, Glockenspiel, Music Box, Vibraphone, Marimba, Xylophone,
    Tubular Bells, Dulcimer, Drawbar Organ, Percussive Organ, Rock Organ, Church Organ, Reed Organ, Accordion,
    Harmonica, Tango Accordion, Nylon Guitar, Steel Guitar, Jazz Guitar, Clean Guitar, Muted Guitar,
    Overdriven Guitar, Distortion Guitar, Guitar Harmonics, Acoustic Bass, Fingered Bass, Picked Bass,
    Fretless Bass, Slap Bass 1, Slap Bass 2, Synth Bass 1, Synth Bass 2, Violin, Viola, Cello, Contrabass,
    Tremolo Strings, Pizzicato Strings, Harp, Timpani, String Ensemble 1, String Ensemble 2, Synth Strings 1,
    Synth Strings 2, Choir Aahs, Voice Oohs, Synth Voice, Orchestra Hit, Trumpet, Trombone, Tuba, Muted Trumpet,
    French Horn, Brass Section, Synth Brass 1, Synth Brass 2, Soprano Sax, Alto Sax, Tenor Sax, Baritone Sax, Oboe,
    English Horn, Bassoon, Clarinet, Piccolo, Flute, Recorder, Pan Flute, Blown Bottle, Shakuhachi, Whistle,
    Ocarina, Square Lead, Sawtooth Lead, Calliope Lead, Chiff Lead, Charang Lead, Voice Lead, Fifths Lead,
    Bass and Lead, New Age Pad, Warm Pad, Polysynth Pad, Choir Pad, Bowed Pad, Metallic Pad, Halo Pad, Sweep Pad,
    Rain, Soundtrack, Crystal, Atmosphere, Brightness, Goblins, Echoes, Sci-fi, Sitar, Banjo, Shamisen, Koto,
    Kalimba, Bagpipe, Fiddle, Shanai, Tinkle Bell, Agogo, Steel Drums, Woodblock, Taiko Drum, Melodic Tom,
    Synth Drum, Reverse Cymbal, Guitar Fret Noise, Breath Noise, Seashore, Bird Tweet, Telephone Ring, Helicopter,
    Applause, Gunshot
"""

INSTRUMENTS = tuple(name.strip() for name in GENERAL_MIDI.split(","))  # by program

DRUMS = len(INSTRUMENTS)  # stand after the programs

_COMMON = {  # what people call an instrument whose name is longer, or of which there are several
    "drums": DRUMS,
    "percussion": DRUMS,
    "piano": 0,
    "organ": 19,
    "guitar": 24,
    "bass": 33,
    "double bass": 32,
    "strings": 48,
    "choir": 52,
    "voice": 52,
    "brass": 61,
    "horn": 60,
    "sax": 66,
    "saxophone": 66,
    "synth": 81,
    "pad": 88,
    "timpani": 47,
}


def instrument_name(program: int) -> str:
    """The instrument of a program, 128 for drums.

    Example:
        >>> instrument_name(40), instrument_name(DRUMS)
        ('Violin', 'Drums')
    """
    return "Drums" if program == DRUMS else INSTRUMENTS[program]


def numbered(names: Sequence[str]) -> list[str]:
    """Names that differ: of those that are alike each gets its number.

    Example:
        >>> numbered(["Violin", "Violin", "Cello"])
        ['Violin 1', 'Violin 2', 'Cello']
    """
    count, seen = Counter(names), Counter[str]()
    found = []
    for name in names:
        seen[name] += 1
        found.append(f"{name} {seen[name]}" if count[name] > 1 else name)
    return found


def require_programs(programs: Iterable[int]) -> None:
    """Refuse numbers that are no program.

    Raises:
        ImpossibleRequest: names the first.
    """
    for program in programs:
        if not 0 <= program <= DRUMS:
            raise ImpossibleRequest(f"There is no instrument {program}; there are 0 to 127, and {DRUMS} for drums.")


def program_named(text: str) -> int:
    """The program of an instrument by its name, a part of it or its program number from 0; 128 for drums.

    Raises:
        ImpossibleRequest: there is no such instrument; names the likeliest.

    Example:
        >>> program_named("drums"), program_named("violin"), program_named("bass"), program_named("oohs")
        (128, 40, 33, 53)
    """
    asked = text.strip().casefold()
    if asked.isdecimal() and int(asked) < DRUMS:
        return int(asked)
    if asked in _COMMON:
        return _COMMON[asked]
    names = [name.casefold() for name in INSTRUMENTS]
    tests: list[Callable[[str], bool]] = [lambda name: name == asked, lambda name: asked in name]
    for fits in tests:
        found = [program for program, name in enumerate(names) if asked and fits(name)]
        if found:
            return found[0]
    likely = difflib.get_close_matches(asked, [*_COMMON, *names], n=3)
    like = f" Did you mean {' or '.join(likely)}?" if likely else ""
    raise ImpossibleRequest(
        f"There is no instrument {text!r}; names are those of General MIDI (violin, choir aahs), or drums.{like}"
    )


def programs_named(text: str) -> tuple[int, ...]:
    """Instruments by their names, with commas between them.

    Raises:
        ImpossibleRequest: there is no such instrument.
    """
    return tuple(program_named(part) for part in text.split(","))
