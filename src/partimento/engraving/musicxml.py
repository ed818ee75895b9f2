"""MusicXML 4.0: parts, bars and notes as text (W3C Music Notation Community Group 2021).

Every bar names all that it holds, voice by voice, and fills each voice. Leaves out: layout, for programs that read it
do that better, and everything about sound but instruments and tempi.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from xml.sax.saxutils import escape

from partimento.engraving.bars import UNITS, Bar, pulse
from partimento.engraving.beams import beams_of
from partimento.engraving.clefs import Clef
from partimento.engraving.notes import accidentals, bracket, note_lines
from partimento.engraving.parts import Part
from partimento.engraving.spelling import Signature
from partimento.engraving.values import Written, written
from partimento.engraving.voices import Sound

__all__ = ["Sheet", "document"]

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">
<score-partwise version="4.0">"""
VOICES = 4  # numbers kept for the voices of a staff


@dataclass(frozen=True)
class Sheet:
    """All that is written down of a score: bars, parts, and signatures, tempi and dynamics by the bar."""

    title: str
    bars: Sequence[Bar]
    signatures: Mapping[int, Signature]
    tempi: Mapping[int, float]
    dynamics: Sequence[Mapping[int, str]]
    parts: Sequence[Part]


def document(sheet: Sheet) -> str:
    """The sheet as MusicXML."""
    lines = [HEAD]
    if sheet.title:
        title = escape(re.sub(r"[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+", " ", sheet.title).strip())
        lines.append(f" <work><work-title>{title}</work-title></work>")
    lines += [" <identification><encoding><software>Partimento</software></encoding></identification>", " <part-list>"]
    for number, part in enumerate(sheet.parts, start=1):
        lines += _heading(part, number, sheet.parts)
    lines.append(" </part-list>")
    for number in range(1, len(sheet.parts) + 1):
        lines.append(f' <part id="P{number}">')
        lines += _bars(sheet, number)
        lines.append(" </part>")
    lines.append("</score-partwise>\n")
    return "\n".join(lines)


def _heading(part: Part, number: int, parts: Sequence[Part]) -> Iterator[str]:
    """A part's entry in the list: its name, and the instruments that play it."""
    pair = _is_pair(parts, number - 1)
    if pair == "first":
        yield (
            '  <part-group number="1" type="start"><group-symbol>brace</group-symbol>'
            "<group-barline>yes</group-barline></part-group>"
        )
    named = pair and re.fullmatch(r".* [12]", part.name)  # one name for both hands, where they have none of their own
    name = escape(part.name[:-2] if named else part.name)
    hidden = ' print-object="no"' if named and pair == "second" else ""
    yield f'  <score-part id="P{number}">'
    yield f"   <part-name{hidden}>{name}</part-name>"
    channel = 10 if part.drums else (number - 1) % 15 + 1
    channel += not part.drums and channel >= 10
    pitches = sorted({t.pitch for staff in part.staves for voice in staff for s in voice for t in s.tones})
    for pitch in pitches if part.drums else [0]:
        instrument = f"<instrument-name>{name}</instrument-name>"
        yield f'   <score-instrument id="P{number}-I{pitch}">{instrument}</score-instrument>'
    for pitch in pitches if part.drums else [0]:
        struck = f"<midi-unpitched>{pitch + 1}</midi-unpitched>" if part.drums else ""
        yield (
            f'   <midi-instrument id="P{number}-I{pitch}"><midi-channel>{channel}</midi-channel>'
            f"<midi-program>{part.program + 1}</midi-program>{struck}</midi-instrument>"
        )
    yield "  </score-part>"
    if pair == "second":
        yield '  <part-group number="1" type="stop"/>'


def _is_pair(parts: Sequence[Part], index: int) -> str:
    """Whether a part is the right or the left hand of a keyboard whose hands are tracks of their own."""

    def pair(at: int) -> bool:
        return (
            0 <= at < len(parts) - 1
            and all(len(p.staves) == 1 and p.program < 8 and not p.drums for p in parts[at : at + 2])
            and parts[at].program == parts[at + 1].program
            and (parts[at].clefs[0][0].sign, parts[at + 1].clefs[0][0].sign) == ("G", "F")
        )

    return "first" if pair(index) else "second" if pair(index - 1) else ""


def _bars(sheet: Sheet, number: int) -> Iterator[str]:
    """All bars of a part."""
    part = sheet.parts[number - 1]
    places = [[_Voice(voice) for voice in staff] for staff in part.staves]
    signature, metre = Signature(0, False), (0, 0)
    for index, bar in enumerate(sheet.bars):
        yield f'  <measure number="{index + 1}">'
        new = sheet.signatures.get(index)
        signature = new or signature
        metre_before, metre = metre, (bar.numerator, bar.denominator)
        key = None if part.drums and index else new
        attributes = _attributes(part, index, key, metre if metre != metre_before else None)
        if attributes:
            yield f"   <attributes>{attributes}</attributes>"
        if number == 1 and index in sheet.tempi:
            yield _tempo(sheet.tempi[index], bar)
        if index in sheet.dynamics[number - 1]:
            yield _dynamic(sheet.dynamics[number - 1][index], part)
        backup = False
        for staff, voices in enumerate(places, start=1):
            for lines in _staff(part, number, staff, voices, bar, signature):
                if backup:
                    yield f"   <backup><duration>{bar.length}</duration></backup>"
                yield from lines
                backup = True
        if index == len(sheet.bars) - 1:
            yield '   <barline location="right"><bar-style>light-heavy</bar-style></barline>'
        yield "  </measure>"


class _Voice:
    """A voice that is read bar by bar."""

    def __init__(self, sounds: Sequence[Sound]) -> None:
        self.sounds = sounds
        self.next = 0

    def within(self, bar: Bar) -> list[Sound]:
        """What sounds in a bar; bars are asked for in order."""
        while self.next < len(self.sounds) and self.sounds[self.next].end <= bar.start:
            self.next += 1
        stop = self.next
        while stop < len(self.sounds) and self.sounds[stop].start < bar.end:
            stop += 1
        return list(self.sounds[self.next : stop])


def _attributes(part: Part, bar: int, signature: Signature | None, metre: tuple[int, int] | None) -> str:
    """What is new at a bar: signature, metre, clefs."""
    text = f"<divisions>{UNITS}</divisions>" if bar == 0 else ""
    if signature is not None:
        mode = "minor" if signature.minor else "major"
        fifths = 0 if part.drums else signature.fifths
        text += f"<key><fifths>{fifths}</fifths>" + ("</key>" if part.drums else f"<mode>{mode}</mode></key>")
    if metre:
        text += f"<time><beats>{metre[0]}</beats><beat-type>{metre[1]}</beat-type></time>"
    if bar == 0 and len(part.staves) > 1:
        text += f"<staves>{len(part.staves)}</staves>"
    for number, clefs in enumerate(part.clefs, start=1):
        if bar in clefs:
            text += _clef(clefs[bar], number if len(part.clefs) > 1 else None)
    return text


def _clef(clef: Clef, number: int | None) -> str:
    own = f' number="{number}"' if number else ""
    octave = f"<clef-octave-change>{clef.octave}</clef-octave-change>" if clef.octave else ""
    line = f"<line>{clef.line}</line>" if clef.sign != "percussion" else ""
    return f"<clef{own}><sign>{clef.sign}</sign>{line}{octave}</clef>"


def _tempo(qpm: float, bar: Bar) -> str:
    compound = bar.denominator >= 8 and bar.numerator % 3 == 0
    beat = "<beat-unit>quarter</beat-unit>" + ("<beat-unit-dot/>" if compound else "")
    minute = round(qpm * 2 / 3 if compound else qpm)
    return (
        f'   <direction placement="above"><direction-type><metronome>{beat}<per-minute>{max(minute, 1)}</per-minute>'
        f'</metronome></direction-type><sound tempo="{qpm:.6g}"/></direction>'
    )


def _dynamic(mark: str, part: Part) -> str:
    staff = "<staff>1</staff>" if len(part.staves) > 1 else ""
    dynamics = f"<direction-type><dynamics><{mark}/></dynamics></direction-type>"
    return f'   <direction placement="below">{dynamics}{staff}</direction>'


def _staff(
    part: Part, number: int, staff: int, voices: Sequence[_Voice], bar: Bar, signature: Signature
) -> list[list[str]]:
    """One bar of a staff, voice by voice."""
    levels = pulse(bar.numerator, bar.denominator)
    sounds = [voice.within(bar) for voice in voices]
    sounding = [at for at, own in enumerate(sounds) if own]
    if sounding and 0 not in sounding and len(sounding) == 1 and _alone(sounds[sounding[0]], bar):
        sounds, sounding = [sounds[sounding[0]]], [0]
    shown = [0, *(at for at in sounding if at)]
    lines = {at: written(sounds[at] if at < len(sounds) else [], bar.start, levels) for at in shown}
    lines = {at: [_seen(note, at, lines) for note in notes] for at, notes in lines.items()}
    signs = accidentals(lines, signature)
    result = []
    for at, notes in lines.items():
        beams = beams_of(notes, levels)
        stem = ("down" if at == 1 else "up") if len(shown) > 1 or (part.drums and at == 1) else ""
        voice = (staff - 1) * VOICES + at + 1
        own_staff = f"<staff>{staff}</staff>" if len(part.staves) > 1 else ""
        text = []
        for place, note in enumerate(notes):
            text += note_lines(
                note,
                part,
                number,
                f"<voice>{voice}</voice>",
                own_staff,
                stem,
                beams[place],
                signs,
                bracket(notes, place),
            )
        result.append(text)
    return result


def _alone(sounds: Sequence[Sound], bar: Bar) -> bool:
    """Whether sounds begin and end in a bar, so that their voice may change its number there."""
    return sounds[0].start >= bar.start and sounds[-1].end <= bar.end and not sounds[0].held and not sounds[-1].holding


def _seen(note: Written, voice: int, lines: Mapping[int, Sequence[Written]]) -> Written:
    """The note, hidden if it is a rest of a second voice, or one under which another voice sounds throughout."""
    if note.sound is not None or len(lines) == 1:
        return note
    covered = voice > 0 or any(
        other != voice and _covers(own, note.start, note.start + note.length) for other, own in lines.items()
    )
    return replace(note, shown=not covered)


def _covers(notes: Sequence[Written], start: int, end: int) -> bool:
    return all(n.sound is not None for n in notes if n.start < end and n.start + n.length > start)
