"""Engraving: what lies on the grid comes back exactly, bars are full, names, ties and triplets as they should be."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from partimento.engraving import engrave, to_musicxml
from partimento.engraving.bars import UNITS, bars_of, pulse
from partimento.engraving.hands import split
from partimento.engraving.values import written
from partimento.engraving.voices import Sound, Tone
from partimento.errors import MissingExtra, PartimentoError, Unreadable
from partimento.files import read_safely
from partimento.render import render, sheets
from partimento.score import KeySignature, Note, Score, Tempo, TimeSignature, Track, note_array

from music import METRES, scores, tune

Heard = tuple[str, int, int, int]  # part, onset, duration, pitch; in units
NATURAL = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
QUARTERS = {
    "breve": 8,
    "whole": 4,
    "half": 2,
    "quarter": 1,
    "eighth": 1 / 2,
    "16th": 1 / 4,
    "32nd": 1 / 8,
    "64th": 1 / 16,
}


def played(text: str) -> Counter[Heard]:
    """What MusicXML sounds like, and on the way: bars are full, values say durations, ties meet, triplets close."""
    root = ET.fromstring(text)
    heard: Counter[Heard] = Counter()
    for part in root.iter("part"):
        drums = {i.get("id", ""): int(i.findtext("midi-unpitched", "0")) - 1 for i in root.iter("midi-instrument")}
        now, metre = 0, 0
        open_ties: dict[tuple[int, int, int], tuple[int, int]] = {}  # staff, pitch and end -> onset, end
        for measure in part.iter("measure"):
            time = measure.find("attributes/time")
            if time is not None:
                metre = int(time.findtext("beats", "")) * 4 * UNITS // int(time.findtext("beat-type", ""))
            at, onset = now, now
            filled: Counter[str] = Counter()
            triplet: dict[str, int] = {}
            ties: list[tuple[int, int, int, int, bool, bool]] = []
            for item in measure:
                length = int(item.findtext("duration", "0"))
                if item.tag == "backup":
                    at -= length
                    assert at == now
                if item.tag != "note":
                    continue
                voice = item.findtext("voice", "")
                rest = item.find("rest")
                type = item.findtext("type")
                if type:
                    value = Fraction(QUARTERS[type]) * UNITS
                    value *= Fraction(2 ** (len(item.findall("dot")) + 1) - 1, 2 ** len(item.findall("dot")))
                    value *= Fraction(2, 3) if item.find("time-modification") is not None else 1
                    assert value == length, (type, length)
                else:
                    assert rest is not None
                    assert rest.get("measure") == "yes"
                    assert length == metre
                if item.find("chord") is None:
                    onset = at
                    at += length
                    filled[voice] += length
                    marks = [t.get("type") for t in item.findall("notations/tuplet")]
                    inside = item.find("time-modification") is not None
                    if "start" in marks:
                        assert voice not in triplet
                        triplet[voice] = 0
                    assert inside == (voice in triplet)
                    if inside:
                        triplet[voice] += length
                    if "stop" in marks:
                        assert triplet.pop(voice) in (3, 6, 12, 24, 48, 96)
                if rest is not None:
                    continue
                pitch = item.find("pitch")
                if pitch is not None:
                    number = NATURAL[pitch.findtext("step", "")] + int(pitch.findtext("alter", "0"))
                    number += 12 * (int(pitch.findtext("octave", "")) + 1)
                else:
                    number = drums[item.find("instrument").get("id", "")]  # type: ignore[union-attr]
                own = {t.get("type") for t in item.findall("tie")}
                assert own == {t.get("type") for t in item.findall("notations/tied")}
                ties.append((onset, at, int(item.findtext("staff", "1")), number, "stop" in own, "start" in own))
            assert not triplet
            assert filled
            assert set(filled.values()) == {metre}, (filled, metre)
            for begin, end, staff, number, stop, start in sorted(ties):
                first = begin
                if stop:
                    first = open_ties.pop((staff, number, begin))[0]
                if start:
                    open_ties[staff, number, end] = (first, end)
                else:
                    heard[part.get("id", ""), first, end - first, number] += 1
            now += metre
        assert not open_ties
    return heard


def names(text: str) -> list[str]:
    """The names of notes as they are spelled, in order."""
    signs = {None: "", "1": "#", "-1": "b", "2": "##", "-2": "bb"}
    return [p.findtext("step", "") + signs[p.findtext("alter")] for p in ET.fromstring(text).iter("pitch")]


def meant(score: Score) -> Counter[Heard]:
    """What a score on the grid should sound like: overlapping notes of one pitch and part end where the next begins."""
    heard: Counter[Heard] = Counter()
    number = 0
    for track in score.tracks:
        if not len(track.notes):
            continue
        number += 1
        own: dict[int, dict[int, int]] = defaultdict(dict)
        for note in track.notes:
            onset, end = (time * UNITS // score.ticks_per_quarter for time in (note.time, note.time + note.duration))
            own[note.pitch][onset] = max(own[note.pitch].get(onset, 0), end)
        for pitch, ends in own.items():
            following = [*sorted(ends)[1:], 10**9]
            for (onset, end), later in zip(sorted(ends.items()), following, strict=True):
                heard[f"P{number}", onset, min(end, later) - onset, pitch] += 1
    return heard


@st.composite
def scores_on_the_grid(draw: st.DrawFn, max_notes: int = 12) -> Score:
    """Several tracks without drums whose times are thirty-seconds or sextuplets, in any metres."""
    score = Score(draw(st.sampled_from((24, 96, 480))))
    unit = score.ticks_per_quarter // UNITS
    at = 0
    for numerator, denominator in draw(st.lists(st.sampled_from(METRES), max_size=3)):
        score.time_signatures.append(TimeSignature(at * unit, numerator, denominator))
        at += draw(st.integers(1, 3)) * numerator * 4 * UNITS // denominator
    bars = bars_of(score, 30 * UNITS, 1000)

    def time(last: int) -> st.SearchStrategy[int]:
        def inside(bar: int) -> st.SearchStrategy[int]:
            length = bars[bar].length
            steps = st.one_of(
                st.integers(0, (length - 1) // 12).map(lambda n: 12 * n),
                st.integers(0, (length - 1) // 3).map(lambda n: 3 * n),
                st.integers(0, (length - 1) // 4).map(lambda n: 4 * n),
            )
            return steps.map(lambda n: n + bars[bar].start)

        return st.integers(0, min(last, len(bars) - 1)).flatmap(inside)

    for _ in range(draw(st.integers(0, 3))):
        track = Track("", draw(st.sampled_from((0, 0, 24, 33, 48))), False)
        few = draw(st.booleans())
        for _ in range(draw(st.integers(0, max_notes))):
            onset, end = sorted((draw(time(8)), draw(time(8))))
            pitch = draw(st.integers(60, 62) if few else st.integers(12, 115))
            if end > onset:
                track.notes.append(Note(onset * unit, (end - onset) * unit, pitch, 80))
        track.notes.sort()
        score.tracks.append(track)
    return score


def a_note_at_the_end() -> Score:
    """Shorter than a thirty-second, before the last bar line."""
    score = Score(24)
    score.time_signatures.append(TimeSignature(0, 3, 16))
    score.tracks.append(Track("", 0, False))
    score.tracks[0].notes.append(Note(16, 2, 60, 80))
    return score


@settings(max_examples=150, deadline=None)
@example(a_note_at_the_end())
@given(scores_on_the_grid())
def test_what_lies_on_the_grid_comes_back_exactly(score: Score) -> None:
    text = to_musicxml(score, "Any & <all>")
    assert played(text) == meant(score)
    assert to_musicxml(score.copy(), "Any & <all>") == text


@settings(max_examples=60, deadline=None)
@given(scores())
def test_any_score_is_written_in_full_bars(score: Score) -> None:
    engraving = engrave(score)
    heard = played(engraving.text)
    assert {pitch for *_, pitch in heard} == {note.pitch for track in score.tracks for note in track.notes}
    assert engraving.moved <= 0.5


def score_of(*notes: tuple[float, float, int], metre: tuple[int, int] = (4, 4), drums: bool = False) -> Score:
    """A piano or a kit that plays notes: onset and duration in quarters, and pitch."""
    score = Score(480)
    score.time_signatures.append(TimeSignature(0, *metre))
    track = Track("", 0, drums)
    track.notes.extend([Note(round(480 * onset), round(480 * length), pitch, 80) for onset, length, pitch in notes])
    score.tracks.append(track)
    return score


def values(*notes: tuple[float, float, int], metre: tuple[int, int] = (4, 4)) -> list[str]:
    """The rhythm of a tune, value by value: r for rests, dots, ~ for ties, 3 for triplets."""
    result = []
    for note in ET.fromstring(to_musicxml(score_of(*notes, metre=metre))).iter("note"):
        name = ("r" if note.find("rest") is not None else "") + note.findtext("type", "bar")
        name += "." * len(note.findall("dot")) + "3" * (note.find("time-modification") is not None)
        result.append(name + "~" * any(t.get("type") == "start" for t in note.findall("tie")))
    return result


def test_an_empty_score_is_a_bar_of_rest() -> None:
    text = to_musicxml(Score(480))
    assert played(text) == Counter()
    assert text.count("<measure ") == text.count('<rest measure="yes"/>') == 1


@pytest.mark.parametrize(
    ("notes", "metre", "expected"),
    [
        ([(0, 1.5, 60), (1.5, 0.5, 62), (2, 2, 64)], (4, 4), ["quarter.", "eighth", "half"]),
        ([(0, 0.5, 60), (0.5, 1, 62), (1.5, 2.5, 64)], (4, 4), ["eighth", "quarter", "eighth~", "half"]),
        ([(1, 2, 60)], (4, 4), ["rquarter", "half", "rquarter"]),
        ([(0, 4, 60), (4, 6, 62)], (4, 4), ["whole", "whole~", "half", "rhalf"]),
        ([(0, 1 / 3, 60), (1 / 3, 1 / 3, 62), (2 / 3, 1 / 3, 64)], (1, 4), ["eighth3"] * 3),
        ([(0, 4 / 3, 60), (4 / 3, 2 / 3, 62)], (2, 4), ["half3", "quarter3"]),
        ([(0, 1.5, 60), (1.5, 1, 62), (2.5, 0.5, 64)], (6, 8), ["quarter.", "quarter", "eighth"]),
        ([(0, 5, 60)], (5, 4), ["half.~", "half"]),
        ([(0, 1.25, 60)], (5, 16), ["eighth.~", "eighth"]),
        ([(0, 0.75, 60)], (3, 4), ["eighth.", "r16th", "rquarter", "rquarter"]),
    ],
)
def test_rhythms_are_written_as_they_are_read(
    notes: list[tuple[float, float, int]], metre: tuple[int, int], expected: list[str]
) -> None:
    assert values(*notes, metre=metre) == expected


def test_names_follow_the_key() -> None:
    g_minor = [67, 69, 70, 72, 74, 75, 66, 67, 70, 67, 66, 67, 74, 70, 67, 62]
    text = to_musicxml(score_of(*[(n, 1, pitch) for n, pitch in enumerate(g_minor)]))
    assert {"Bb", "Eb", "F#"} <= set(names(text))
    assert not {"A#", "D#", "Gb"} & set(names(text))
    assert "<fifths>-2</fifths><mode>minor</mode>" in text
    e_major = [64, 66, 68, 69, 71, 73, 75, 76, 71, 68, 64, 71, 75, 76]
    assert set(names(to_musicxml(score_of(*[(n, 1, p) for n, p in enumerate(e_major)])))) <= {
        *"EAB",
        "F#",
        "G#",
        "C#",
        "D#",
    }


def test_a_signature_that_a_file_names_is_believed_where_it_fits() -> None:
    score = score_of(*[(n, 1, pitch) for n, pitch in enumerate([60, 62, 64, 67, 69, 67, 64, 60])])
    score.key_signatures.append(KeySignature(0, 1, 0))
    assert "<fifths>1</fifths>" in to_musicxml(score)  # no F: G major is as good as C
    score.tracks[0].notes.extend([Note(480 * n, 480, 65, 80) for n in range(8, 16)])
    assert "<fifths>1</fifths>" not in to_musicxml(score)


def test_an_accidental_holds_for_its_bar() -> None:
    score = score_of(
        *[(n, 1, p) for n, p in enumerate([60, 66, 66, 67, 65, 66, 66, 67, 65, 64, 65, 62, 65, 64, 62, 60])]
    )
    score.key_signatures.append(KeySignature(0, 0, 0))
    shown = [n.findtext("accidental") for n in ET.fromstring(to_musicxml(score)).iter("note")]
    assert shown == [None, "sharp", *[None] * 3, "sharp", *[None] * 10]


def test_metres_change_where_they_do() -> None:
    score = score_of(*[(n, 1, 60) for n in range(9)], metre=(3, 4))
    score.time_signatures.append(TimeSignature(4 * 480, 2, 4))  # in the middle of a bar, which it ends
    score.time_signatures.append(TimeSignature(6 * 480, 6, 8))
    text = to_musicxml(score)
    times = [(t.findtext("beats"), t.findtext("beat-type")) for t in ET.fromstring(text).iter("time")]
    assert times == [("3", "4"), ("1", "4"), ("2", "4"), ("6", "8")]
    assert played(text) == meant(score)


def test_one_pitch_twice_at_once_is_one_note_and_the_earlier_ends_where_the_later_begins() -> None:
    score = score_of((0, 4, 60), (0, 2, 60), (1, 1, 60))
    assert played(to_musicxml(score)) == Counter({("P1", 0, 24, 60): 1, ("P1", 24, 24, 60): 1})


def test_lines_that_overlap_are_voices_and_second_voices_have_no_rests_to_see() -> None:
    root = ET.fromstring(to_musicxml(score_of((0, 4, 72), (1, 1, 65), (2, 1, 64))))
    voices = {n.findtext("voice") for n in root.iter("note")}
    assert voices == {"1", "2"}
    rests = [n for n in root.iter("note") if n.find("rest") is not None]
    assert rests
    assert all(n.get("print-object") == "no" for n in rests)
    assert {n.findtext("stem") for n in root.iter("note") if n.find("pitch") is not None} == {"up", "down"}


def test_a_piano_has_a_staff_for_each_hand_and_a_flute_has_one() -> None:
    score = score_of(*[(n, 1, p) for n in range(8) for p in (40, 47, 72, 76)])
    root = ET.fromstring(to_musicxml(score))
    assert [c.findtext("sign") for c in root.iter("clef")] == ["G", "F"]
    assert Counter(n.findtext("staff") for n in root.iter("note")) == {"1": 16, "2": 16}
    score.tracks[0].program = 73
    score.tracks[0].notes = type(score.tracks[0].notes)([n for n in score.tracks[0].notes if n.pitch > 70])
    root = ET.fromstring(to_musicxml(score))
    assert [c.findtext("sign") for c in root.iter("clef")] == ["G"]
    assert root.findtext("part-list/score-part/part-name") == "Flute"


def test_hands_stay_where_they_are() -> None:
    """A broken chord of the left hand that rises beyond middle C stays in it."""
    low = [(48,), (55,), (60,), (64,), (60,), (55,)]
    chords = [(c[0], 76) if n == 0 else c for n, c in enumerate(low)] * 2
    assert split(chords, [0.5] * len(chords)) == [1] * len(chords)


def test_drums_are_unpitched_on_a_percussion_clef_by_hands_and_feet() -> None:
    notes = [(n / 2, 0.1, 42) for n in range(8)] + [(0, 0.1, 36), (2, 0.1, 36), (1, 0.1, 38), (3, 0.1, 38)]
    text = to_musicxml(score_of(*notes, drums=True))
    root = ET.fromstring(text)
    assert root.findtext("part/measure/attributes/clef/sign") == "percussion"
    heard = played(text)
    assert Counter((onset, pitch) for _, onset, _, pitch in heard.elements()) == Counter(
        (round(onset * UNITS), pitch) for onset, _, pitch in notes
    )
    feet = {n.findtext("voice") for n in root.iter("note") if n.find("instrument[@id='P1-I36']") is not None}
    assert feet == {"2"}
    assert not list(root.iter("tie"))


def test_played_music_is_put_on_the_grid() -> None:
    """Eighths and triplets, each up to 20 ms off, late by 50 ms as a whole, and held for two thirds of their length."""
    exact = [(n / 2, 0.5, 60 + n) for n in range(8)] + [(4 + n / 3, 1 / 3, 72 + n) for n in range(6)] + [(6, 2, 60)]
    rng = np.random.default_rng(3)
    score = score_of(*[(t + 0.1 + rng.uniform(-0.04, 0.04), 0.66 * d, p) for t, d, p in exact])
    engraving = engrave(score)
    heard = sorted(played(engraving.text))
    expected = sorted(("P1", round(24 * t), round(24 * d), p) for t, d, p in exact)
    assert heard[:-1] == expected[:-1]  # how long the last one is, nobody can tell
    assert 0 < engraving.moved < 0.15


def test_marks_are_few() -> None:
    score = tune(3, bars=8, drums=False)
    score.tempos.extend([Tempo(480 * n, 96 + n % 3) for n in range(1, 16)])
    score.tempos.append(Tempo(480 * 16, 140))
    for note in score.tracks[0].notes:
        note.velocity = 40 + 50 * (note.time >= 480 * 16)
    root = ET.fromstring(to_musicxml(score))
    assert [m.text for m in root.iter("per-minute")] == ["97", "140"]
    assert [mark.tag for dynamics in root.iter("dynamics") for mark in dynamics] == ["p", "f"]


def test_what_is_too_long_is_cut_and_says_so() -> None:
    score = score_of((0, 1, 60), (40_000, 1, 60))
    engraving = engrave(score)
    assert engraving.bars == 2_000
    assert "2,000 bars only" in engraving.remarks[0]
    assert sum(played(engraving.text).values()) == 1
    assert engrave(score, most_bars=3).bars == 3


def test_any_bar_can_be_written() -> None:
    """Every two times in a bar of any metre, whole units apart."""
    for metre in METRES:
        levels = pulse(*metre)
        length = levels[0][-1]
        for start in range(0, length, max(length // 40, 1)):
            for end in range(start + 1, length + 1, max(length // 40, 1)):
                notes = written([Sound(start, end, (Tone(start, end, 60),))], 0, levels)
                assert sum(note.length for note in notes) == length
                assert sum(note.length for note in notes if note.sound) == end - start


def test_verovio_reads_what_is_written(tmp_path: Path) -> None:
    score = tune(5, drums=False)
    render(score, tmp_path / "tune.musicxml", title="A tune & more")
    again = read_safely(tmp_path / "tune.musicxml").score
    mine, theirs = note_array(score), note_array(again)
    unit = again.ticks_per_quarter / score.ticks_per_quarter
    assert np.array_equal(mine["pitch"], theirs["pitch"])
    assert np.array_equal(mine["program"], theirs["program"])
    assert np.array_equal(mine["onset"] * unit, theirs["onset"])
    assert np.allclose(mine["duration"] * unit, theirs["duration"], atol=2)
    assert [s.numerator for s in again.time_signatures] == [4]


@pytest.mark.parametrize("suffix", [".musicxml", ".pdf", ".svg"])
def test_a_sheet_is_written_whole_and_the_same_each_time(tmp_path: Path, suffix: str) -> None:
    one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    assert render(tune(1), one, title="Noël & <friends> (Łódź)") == ()
    render(tune(1), two, title="Noël & <friends> (Łódź)", view="score")
    assert one.read_bytes() == two.read_bytes()
    assert sorted(tmp_path.iterdir()) == [one, two]
    assert render(Score(480), one) == ()
    if suffix != ".pdf":
        ET.parse(two)


def test_a_pdf_has_pages_and_its_objects_are_where_its_table_says(tmp_path: Path) -> None:
    render(tune(2, bars=120), tmp_path / "x.pdf", title="x")
    data = (tmp_path / "x.pdf").read_bytes()
    assert data.startswith(b"%PDF-1.4")
    start = int(data.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    places = [int(line[:10]) for line in data[start:].splitlines()[3:] if line.endswith(b"n ")]
    assert [data[at:].startswith(b"%d 0 obj" % number) for number, at in enumerate(places, 1)] == [True] * len(places)
    assert data.count(b"/Type/Page/") > 1


def test_an_svg_is_one_tall_page_with_every_note(tmp_path: Path) -> None:
    score = tune(2, bars=40, drums=False)
    assert render(score, tmp_path / "x.svg") == ()
    root = ET.parse(tmp_path / "x.svg").getroot()
    heads = [g for g in root.iter("{http://www.w3.org/2000/svg}g") if g.get("class") == "notehead"]
    assert len(heads) == len(note_array(score))


def test_a_sheet_too_long_for_its_page_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "TALLEST", 3_000)
    (remark,) = render(tune(2, bars=80), tmp_path / "x.svg")
    assert "bars only" in remark
    monkeypatch.setattr(sheets, "MOST_CELLS", 12)
    (remark,) = render(tune(2, bars=80), tmp_path / "x.pdf")
    assert "first 4 bars only" in remark


def test_without_verovio_and_where_it_fails_a_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "isolated", lambda *_, **__: iter([(None, Unreadable("It crashed.", ""))]))
    with pytest.raises(PartimentoError, match=r"cannot engrave.*\.musicxml"):
        render(tune(1), tmp_path / "x.pdf")
    monkeypatch.setattr(sheets, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"partimento\[train\]"):
        render(tune(1), tmp_path / "x.svg")
    render(tune(1), tmp_path / "x.musicxml")
    with pytest.raises(PartimentoError, match=r"a piano roll ends in \.png or \.svg"):
        render(tune(1), tmp_path / "x.pdf", view="roll")
    with pytest.raises(PartimentoError, match=r"a score ends in \.musicxml"):
        render(tune(1), tmp_path / "x.png", view="score")
    assert [path.name for path in tmp_path.iterdir()] == ["x.musicxml"]


def test_extreme_scores_are_written_quickly_all_the_same() -> None:
    score = Score(1)
    track = Track("\x00<&>", 0, False)
    track.notes.extend([Note(0, 1, 0, 1), Note(0, 2_000_000_000, 127, 127), Note(2_000_000_000, 1, 127, 127)])
    score.tracks.append(track)
    score.time_signatures.append(TimeSignature(0, 1, 64))
    began = time.perf_counter()
    played(to_musicxml(score, "\x00\ud800 title"))
    assert time.perf_counter() - began < 5


@pytest.mark.long
@settings(max_examples=40, deadline=None)
@given(scores_on_the_grid())
def test_music21_reads_what_is_written(score: Score) -> None:
    music21 = pytest.importorskip("music21")
    heard: Counter[Heard] = Counter()
    parsed = music21.converter.parse(to_musicxml(score), format="musicxml")
    number = 0
    for part in parsed.parts:
        number += not str(part.id).endswith("Staff2")
        for measure in part.getElementsByClass("Measure"):
            for voice in [*measure.voices] or [measure]:
                assert Fraction(voice.highestTime) == Fraction(measure.barDuration.quarterLength)
        begun: dict[tuple[int, int], int] = {}  # pitch and end of what is tied -> its onset
        tones = [(e.offset, note) for e in part.flatten().notes for note in (e.notes if e.isChord else [e])]
        for offset, note in sorted(tones, key=lambda tone: tone[0]):
            onset, length = (round(UNITS * Fraction(n)) for n in (offset, note.quarterLength))
            first, tie = onset, note.tie.type if note.tie else ""
            if tie in ("stop", "continue"):
                first = begun.pop((note.pitch.midi, onset))
            if tie in ("start", "continue"):
                begun[note.pitch.midi, onset + length] = first
            else:
                heard[f"P{number}", first, onset + length - first, note.pitch.midi] += 1
    assert heard == meant(score)
