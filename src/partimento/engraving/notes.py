"""Notes as MusicXML: heads, values, accidentals, ties, beams and triplets.

An accidental stands where the signature and the bar so far do not imply it, on the same staff and in the same octave;
what is tied from before needs none. Leaves out: courtesy accidentals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from partimento.engraving.kit import place_of
from partimento.engraving.parts import Part
from partimento.engraving.spelling import Signature, letter_of
from partimento.engraving.values import Written
from partimento.engraving.voices import Tone

__all__ = ["accidentals", "bracket", "note_lines"]

ACCIDENTALS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
SHARPS, FLATS = "FCGDAEB", "BEADGCF"


def accidentals(lines: Mapping[int, Sequence[Written]], signature: Signature) -> dict[tuple[int, int], int]:
    """Which notes of a staff's bar show an accidental, by when they begin and their pitch, and which."""
    altered = dict.fromkeys(SHARPS[: max(signature.fifths, 0)], 1)
    altered |= dict.fromkeys(FLATS[: max(-signature.fifths, 0)], -1)
    state: dict[tuple[str, int], int] = {}
    signs: dict[tuple[int, int], int] = {}
    notes = sorted((note for own in lines.values() for note in own if note.sound), key=lambda n: n.start)
    for note in notes:
        for tone in note.sound.tones if note.sound else ():
            letter, alter, octave = letter_of(tone.fifth, tone.pitch)
            if tone.pitch in note.held:
                continue
            if alter != state.get((letter, octave), altered.get(letter, 0)):
                signs[note.start, tone.pitch] = alter
                state[letter, octave] = alter
    return signs


def bracket(notes: Sequence[Written], place: int) -> str:
    """Whether the triplet that begins with a note needs a bracket: not if all of it is under one beam."""
    if not notes[place].first:
        return ""
    stop = next(at for at in range(place, len(notes)) if notes[at].last)
    own = notes[place : stop + 1]
    beamed = all(n.sound is not None and n.type not in ("breve", "whole", "half", "quarter") for n in own)
    return "no" if beamed else "yes"


def note_lines(
    note: Written,
    part: Part,
    number: int,
    voice: str,
    staff: str,
    stem: str,
    beams: Sequence[str],
    signs: Mapping[tuple[int, int], int],
    bracket: str,
) -> list[str]:
    """One note, chord or rest."""
    value = f"<type>{note.type}</type>" + "<dot/>" * note.dots
    ratio = ""
    if note.triplet:
        ratio = "<time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes></time-modification>"
    tuplet = f'<tuplet type="start" bracket="{bracket}"/>' if note.first else ""
    tuplet += '<tuplet type="stop"/>' if note.last else ""
    duration = f"<duration>{note.length}</duration>"
    if note.sound is None:
        hidden = "" if note.shown else ' print-object="no"'
        rest = '<rest measure="yes"/>' if note.whole_bar else "<rest/>"
        own = "" if note.whole_bar else value
        marks = f"<notations>{tuplet}</notations>" if tuplet else ""
        return [f"   <note{hidden}>{rest}{duration}{voice}{own}{ratio}{staff}{marks}</note>"]
    result = []
    for place, tone in enumerate(note.sound.tones):
        tie, tied = _ties(tone, note)
        notations = tied + (tuplet if place == 0 else "")
        marks = f"<notations>{notations}</notations>" if notations else ""
        sign = signs.get((note.start, tone.pitch))
        accidental = f"<accidental>{ACCIDENTALS[sign]}</accidental>" if sign is not None and not part.drums else ""
        strokes = "".join(f'<beam number="{n}">{b}</beam>' for n, b in enumerate(beams, start=1)) if place == 0 else ""
        direction = f"<stem>{stem}</stem>" if stem else ""
        instrument = f'<instrument id="P{number}-I{tone.pitch}"/>' if part.drums else ""
        chord = "<chord/>" if place else ""
        head = _head(tone, part)
        result.append(
            f"   <note>{chord}{_pitch(tone, part)}{duration}{tie}{instrument}{voice}{value}{accidental}{ratio}"
            f"{direction}{head}{staff}{strokes}{marks}</note>"
        )
    return result


def _ties(tone: Tone, note: Written) -> tuple[str, str]:
    kinds = [kind for kind, own in (("stop", note.held), ("start", note.holding)) if tone.pitch in own]
    return "".join(f'<tie type="{k}"/>' for k in kinds), "".join(f'<tied type="{k}"/>' for k in kinds)


def _pitch(tone: Tone, part: Part) -> str:
    if part.drums:
        place = place_of(tone.pitch)
        shown = f"<display-step>{place.letter}</display-step><display-octave>{place.octave}</display-octave>"
        return f"<unpitched>{shown}</unpitched>"
    letter, alter, octave = letter_of(tone.fifth, tone.pitch)
    altered = f"<alter>{alter}</alter>" if alter else ""
    return f"<pitch><step>{letter}</step>{altered}<octave>{octave}</octave></pitch>"


def _head(tone: Tone, part: Part) -> str:
    head = place_of(tone.pitch).head if part.drums else "normal"
    return f"<notehead>{head}</notehead>" if head != "normal" else ""
