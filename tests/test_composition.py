"""Composing from what is asked alone: bars, instruments, a form, chords."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any, cast

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from partimento.bundle import Bundle
from partimento.cli import app
from partimento.codec import Request
from partimento.codecs.cells import Cells
from partimento.codecs.cells.fields import events_of, is_tempo, vocabulary
from partimento.codecs.cells.grid import Grid
from partimento.errors import ImpossibleRequest, InvalidBundle, Unreadable
from partimento.filling import Accompaniment, Asked, Manner, Region, fill, writing
from partimento.filling.composition import Composition, bars_within, compose_cells, returns
from partimento.filling.files import compose_cells_again, compose_cells_into
from partimento.filling.possible import require_learnt
from partimento.generation import generate, requests
from partimento.generation.requests import side_by_side
from partimento.harmony import chords_named, classes
from partimento.score import end_tick, note_array, seconds_at, struck_again
from test_fill import bundle as bundle  # the same model, which knows nothing but the grammar
from test_fill import new_bundle

from little import write_little_bundle
from music import tune

CODEC = Cells(Cells.Settings())


def bars_of(made: Any) -> np.ndarray:
    """The bar that each note is in, of a piece in 4/4."""
    notes = note_array(made.score)
    return np.asarray(notes["onset"] // (4 * made.score.ticks_per_quarter))


def test_a_piece_has_the_bars_the_instruments_the_metre_and_the_tempo_that_are_asked(bundle: Bundle) -> None:
    wanted = Composition(6, (40, 128), metre=(3, 4), tempo=90)
    for made in compose_cells(bundle, wanted, Manner(n=2, seed=4)):
        score = made.score
        assert made.notes == score.note_num() > 0
        assert {128 if t.is_drum else t.program for t in score.tracks} <= {40, 128}
        assert [(s.numerator, s.denominator) for s in score.time_signatures] == [(3, 4)]
        assert score.tempos[0].qpm == pytest.approx(90, rel=0.014)
        assert max(n.time for t in score.tracks for n in t.notes) < 6 * 3 * score.ticks_per_quarter


def test_the_same_seed_gives_the_same_piece_and_another_another(bundle: Bundle) -> None:
    wanted = Composition(4)
    one, other = compose_cells(bundle, wanted, Manner(n=2, seed=3))
    assert one.score != other.score
    assert compose_cells(bundle, wanted, Manner(n=1, seed=3))[0].score == one.score


def test_without_instruments_they_are_those_that_the_learnt_music_usually_has(bundle: Bundle) -> None:
    (made,) = compose_cells(bundle, Composition(8), Manner(seed=1))
    learnt = bundle.codec()
    assert isinstance(learnt, Cells)
    usual = learnt.usual(0)
    assert len(usual) == 3
    assert {128 if t.is_drum else t.program for t in made.score.tracks} <= set(usual)


@pytest.mark.parametrize("form", ["A", "ABA"])
def test_the_last_bar_sounds(form: str, bundle: Bundle) -> None:
    wanted = Composition(3, (0,), form=form, varied=0.0)
    for made in compose_cells(bundle, wanted, Manner(n=40, seed=1)):
        assert bars_of(made).max() == 2


def test_no_note_rings_until_its_pitch_is_struck_again(bundle: Bundle) -> None:
    asked = Asked(density=1, lowest=60, highest=62)
    for made in compose_cells(bundle, Composition(16, (0,), form="AA", varied=0.5), Manner(asked, n=4)):
        notes = note_array(made.score)
        again = struck_again(notes["onset"], notes["pitch"])
        assert len(notes) > 20
        assert (notes["onset"] + notes["duration"] <= again).all()


def test_many_pieces_are_written_a_few_at_a_time_and_are_the_same(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "SIDE_BY_SIDE", 2)
    assert [list(numbers) for numbers in side_by_side(5)] == [[0, 1], [2, 3], [4]]
    wanted, manner = Composition(2, (0,)), Manner(n=5, seed=8)
    made = compose_cells(bundle, wanted, manner)
    assert [piece.index for piece in made] == [0, 1, 2, 3, 4]
    assert [piece.score for piece in compose_cells(bundle, wanted, manner, only=range(2, 4))] == [
        piece.score for piece in made[2:4]
    ]
    region = Region((1, 1))
    filled = fill(bundle, made[0].score, region, manner)
    assert [piece.index for piece in filled] == [0, 1, 2, 3, 4]
    assert fill(bundle, made[0].score, region, manner, only=range(4, 5))[0].score == filled[4].score
    written = compose_cells_into(tmp_path / "all", bundle, wanted, manner, sound="none")
    again, _ = compose_cells_again(written[3][0], tmp_path / "again", sound="none")
    assert again.read_bytes() == written[3][0].read_bytes()


def test_what_takes_too_many_events_is_cut_and_that_is_said(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LONGEST", 60)
    (made,) = compose_cells(bundle, Composition(8, (0, 40)), Manner(seed=1))
    assert any("length guard acted" in remark for remark in made.remarks)


@pytest.mark.parametrize("programs", [(200,), (0, -3), (129,)])
def test_an_instrument_that_there_is_not_is_refused(programs: tuple[int, ...]) -> None:
    with pytest.raises(ImpossibleRequest, match="no instrument"):
        Composition(4, programs)
    with pytest.raises(ImpossibleRequest, match="no instrument"):
        Accompaniment(programs)


@pytest.mark.parametrize("varied", [0.0, 0.3, 1.0])
def test_what_returns_is_put_again_and_varied(bundle: Bundle, varied: float) -> None:
    wanted = Composition(8, form="ABAA", varied=varied)
    (made,) = compose_cells(bundle, wanted, Manner(seed=2))
    tracks = wanted.tracks(bundle.codec())  # type: ignore[arg-type]
    found = returns(Grid(CODEC.encode(made.score), dict(enumerate(tracks.values()))), wanted)
    assert set(found) == {2, 3}
    assert "return keeps" in made.remarks[-1]
    if varied == 0:
        assert set(found.values()) == {1.0}
        notes = note_array(made.score)
        section = bars_of(made) // 2
        first, again = (np.sort(notes["pitch"][section == number]) for number in (0, 2))
        np.testing.assert_array_equal(first, again)
    elif varied == 1:
        assert max(found.values()) < 0.5
    else:
        assert all(0 < share < 1 for share in found.values())


def test_returns_are_varied_as_the_model_has_learnt_to_be_told_tempi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the first bar alone where only changes are told, not again with each section that returns."""
    changes = new_bundle(tmp_path, Cells(Cells.Settings(tempo_told="changed")))
    heard: list[np.ndarray] = []
    write = writing.Writer.write

    def listened(self: writing.Writer, pieces: list[np.ndarray], *more: Any) -> Any:
        heard.extend(pieces)
        return write(self, pieces, *more)

    monkeypatch.setattr(writing.Writer, "write", listened)
    compose_cells(changes, Composition(8, form="AABA", tempo=90), Manner(seed=2))
    told = [
        [bool(is_tempo(event[2])) for event in events_of(x)[1] if event[0] == vocabulary().first("bar")] for x in heard
    ]
    assert told == [[True, *[False] * 3], [True, *[False] * 7]]


def test_chords_follow_one_another_bar_by_bar(bundle: Bundle) -> None:
    chords = chords_named("C G7 Am")
    struck = 0
    for made in compose_cells(bundle, Composition(6, (0, 33)), Manner(asked=Asked(chords=chords), n=32, seed=5)):
        notes = note_array(made.score)
        strong = notes["onset"] % (2 * made.score.ticks_per_quarter) == 0
        for bar, pitch in zip(bars_of(made)[strong].tolist(), notes["pitch"][strong].tolist(), strict=True):
            assert classes(chords[bar % 3])[pitch % 12]
            struck += 1
    assert struck > 3


@pytest.mark.parametrize("form", ["A", "AABA"])
@pytest.mark.parametrize("varied", [0.0, 0.5])
def test_no_note_rings_on_after_its_section_nor_more_than_are_asked_at_once(
    bundle: Bundle, form: str, varied: float
) -> None:
    wanted = Composition(8, (0, 33), form=form, varied=varied)
    for made in compose_cells(bundle, wanted, Manner(asked=Asked(polyphony=1), n=4, seed=1)):
        section = wanted.section * 4 * made.score.ticks_per_quarter
        for track in made.score.tracks:
            notes = sorted((note.time, note.end) for note in track.notes)
            assert all(end <= (time // section + 1) * section for time, end in notes)
            assert all(one[1] <= other[0] for one, other in itertools.pairwise(notes))


def test_chords_begin_anew_with_each_section(bundle: Bundle) -> None:
    chords = chords_named("C F#")
    pieces = compose_cells(bundle, Composition(9, (0,), form="AAB"), Manner(asked=Asked(chords=chords), n=8, seed=5))
    for made in pieces:
        notes = note_array(made.score)
        strong = notes["onset"] % (2 * made.score.ticks_per_quarter) == 0
        for bar, pitch in zip(bars_of(made)[strong].tolist(), notes["pitch"][strong].tolist(), strict=True):
            assert classes(chords[bar % 3 % 2])[pitch % 12]


@pytest.mark.parametrize(
    ("form", "chords", "told"),
    [
        ("AB", "C F#", "C F#"),
        ("ABAB", "C F# D", "C F# C F#"),  # the third is one too many
        ("AABA", "C C F# F#", "C C C C F# F# C C"),
        ("AABA", "C D E F F# G A B", "C D C D F# G C D"),
    ],
)
def test_more_chords_than_a_section_has_bars_go_on_in_the_next(
    bundle: Bundle, form: str, chords: str, told: str
) -> None:
    bars = len(told.split())
    wanted, asked = Composition(bars, (0,), form=form, varied=0.5), Asked(chords=chords_named(chords))
    named = [chords_named(name)[0] for name in told.split()]
    for made in compose_cells(bundle, wanted, Manner(asked=asked, n=8, seed=5)):
        notes = note_array(made.score)
        strong = notes["onset"] % (2 * made.score.ticks_per_quarter) == 0
        for bar, pitch in zip(bars_of(made)[strong].tolist(), notes["pitch"][strong].tolist(), strict=True):
            assert classes(named[bar])[pitch % 12]


@pytest.mark.parametrize(("key", "signature"), [("Eb major", (-3, 0)), ("F# minor", (3, 1)), ("C whole tone", None)])
def test_the_key_that_is_asked_is_written_down(bundle: Bundle, key: str, signature: tuple[int, int] | None) -> None:
    (made,) = compose_cells(bundle, Composition(4, (0,)), Manner(asked=Asked(key=key)))
    (free,) = generate(bundle, request=Request(bars=2, key=key), n=1)
    for score in (made.score, free.score):
        assert [(one.time, one.key, one.tonality) for one in score.key_signatures] == (
            [(0, *signature)] if signature else []
        )


@pytest.mark.parametrize(
    ("asked", "metre", "met"),
    [
        (Asked(density=0.25, polyphony=4), None, False),
        (Asked(density=1.0, polyphony=4), None, True),
        (Asked(density=1.0, polyphony=4), (3, 4), False),
        (Asked(density=(None, 0.25), polyphony=(4, None)), None, True),
    ],
)
def test_fewer_notes_than_are_to_sound_at_once_are_refused(
    bundle: Bundle, asked: Asked, metre: tuple[int, int] | None, met: bool
) -> None:
    wanted = Composition(2, (0, 33), metre=metre)
    if met:
        assert compose_cells(bundle, wanted, Manner(asked=asked))[0].notes
        return
    with pytest.raises(ImpossibleRequest, match="cannot sound at once"):
        compose_cells(bundle, wanted, Manner(asked=asked))


def test_drums_are_refused_of_a_model_that_has_learnt_none() -> None:
    codec = Cells(Cells.Settings())
    codec.learn([tune(0, drums=False)])
    require_learnt(codec, (0, 33))
    for programs in (Composition(2, (0, 128)).tracks(codec).values(), Accompaniment((128,)).added(codec, 1)):
        with pytest.raises(ImpossibleRequest, match="learnt no drums"):
            require_learnt(codec, programs)


def test_an_instrument_that_nothing_was_learnt_of_is_named(bundle: Bundle) -> None:
    (made,) = compose_cells(bundle, Composition(4, (0, 33)), Manner(seed=1))
    assert not any("No note came" in remark for remark in made.remarks)
    score = compose_cells(bundle, Composition(4, (0, 99, 128)), Manner(asked=Asked(lowest=36, highest=36), seed=1))
    for made in score:
        sounding = {128 if t.is_drum else t.program for t in made.score.tracks}
        missing = {0, 99, 128} - sounding
        assert bool(missing) == any("No note came" in remark for remark in made.remarks)


def test_the_tempo_is_the_one_that_was_asked(bundle: Bundle) -> None:
    (made,) = compose_cells(bundle, Composition(2, tempo=90), Manner(seed=1))
    assert [tempo.qpm for tempo in made.score.tempos] == pytest.approx([90], abs=0.01)


def test_a_piece_longer_than_the_model_hears_is_written_part_by_part(bundle: Bundle) -> None:
    (made,) = compose_cells(bundle, Composition(40, (0, 33)), Manner(seed=6))
    assert len(set(bars_of(made).tolist())) > 20


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"bars": 0}, "1 to"),
        ({"bars": 7, "form": "AB"}, "multiple of 2"),
        ({"bars": 4, "form": "A1"}, "letter"),
        ({"bars": 4, "form": ""}, "letter"),
        ({"bars": 4, "metre": (17, 4)}, "no metre 17/4"),
        ({"bars": 4, "tempo": 1000.0}, "tempo"),
        ({"bars": 4, "varied": 2.0}, "varied"),
        ({"bars": 4, "programs": (0,) * 70}, "fewer"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ImpossibleRequest, match=says):
        Composition(**wrong)


def test_the_command(bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compose", str(bundle.folder), "--sound", "none"]
    asked = ["--form", "aaba", "--chords", "C G", "--instruments", "violin,piano", "--metre", "3/4", "--tempo", "100"]
    app([*words, *asked, "--bars", "8", "-n", "2", "--to", str(tmp_path / "new")], result_action="return_value")
    assert "return keeps" in capsys.readouterr().out
    facts = json.loads((tmp_path / "new" / "002.json").read_text())
    assert facts["composition"]["form"] == "AABA"
    assert facts["composition"]["programs"] == [40, 0]
    assert (tmp_path / "new" / "002.png").is_file()
    app([*words, "--density", "2", "--to", str(tmp_path / "dense")], result_action="return_value")
    assert (tmp_path / "dense" / "001.mid").is_file()
    app([*words, "--form", "AAB", "--to", str(tmp_path / "three")], result_action="return_value")
    assert json.loads((tmp_path / "three" / "001.json").read_text())["composition"]["bars"] == 18
    timed = ["--form", "AB", "--seconds", "17", "--metre", "4/4", "--tempo", "120"]
    app([*words, *timed, "--to", str(tmp_path / "timed")], result_action="return_value")
    assert json.loads((tmp_path / "timed" / "001.json").read_text())["composition"]["bars"] == 8
    for wrong in (
        ["--lowest", "9" * 5000],
        ["--metre", "9" * 5000 + "/4"],
        ["--form", "AAB", "--bars", "8"],
        ["--chords", "H"],
        ["--metre", "3-4"],
        ["--varied", "0.5"],
        ["--form", "AB", "--seconds", "3"],  # two bars of 4/4 at 120 are four
        ["--form", "AB", "--seconds", "30", "--bars", "4"],
        ["--form", "AB", "--seconds", "nan"],
        ["--chords", "C", "--best", "1"],
        ["--instruments", "nothing like it"],
    ):
        with pytest.raises(ImpossibleRequest):
            app([*words, *wrong, "--to", str(tmp_path / "no")], result_action="return_value")
    assert not (tmp_path / "no").exists()


@settings(max_examples=15, deadline=None)
@given(
    seconds=st.floats(8, 40),
    metre=st.sampled_from([(3, 4), (6, 8), (4, 4)]),
    tempo=st.floats(60, 200),
    seed=st.integers(0, 9),
)
def test_a_piece_lasts_at_most_as_many_seconds_as_are_asked(
    bundle: Bundle, seconds: float, metre: tuple[int, int], tempo: float, seed: int
) -> None:
    codec = bundle.codec()
    assert isinstance(codec, Cells)
    bars = bars_within(seconds, codec, sections=2, metre=metre, tempo=tempo)
    wanted = Composition(bars, (0, 40), form="AB", metre=metre, tempo=tempo)
    (made,) = compose_cells(bundle, wanted, Manner(seed=seed))
    assert seconds_at(made.score, end_tick(made.score)) <= seconds + 1e-3
    assert seconds < (bars + 2) * 60 * 4 * metre[0] / metre[1] / tempo  # no further bar of each section would fit


def test_a_piece_that_was_asked_for_is_made_again_byte_for_byte(bundle: Bundle, tmp_path: Path) -> None:
    asked = Asked(density=2, lowest=50, key="C", chords=chords_named("C F"))
    wanted = Composition(4, (0, 40), form="AB", metre=(3, 4))
    made = compose_cells_into(tmp_path / "one", bundle, wanted, Manner(asked, n=2, seed=5), sound="none")
    midi, _ = compose_cells_again(made[1][0], tmp_path / "again", sound="none")
    assert midi.name == "002.mid"
    assert midi.read_bytes() == made[1][0].read_bytes()
    assert midi.with_suffix(".json").read_bytes() == made[1][0].with_suffix(".json").read_bytes()
    with pytest.raises(InvalidBundle, match="not the model"):
        compose_cells_again(midi, tmp_path / "more", other_bundle(tmp_path), sound="none")
    facts = json.loads(midi.with_suffix(".json").read_text())
    midi.with_suffix(".json").write_text(json.dumps({**facts, "version": 3}))
    with pytest.raises(Unreadable, match="piece 3 of 2"):
        compose_cells_again(midi, tmp_path / "more", sound="none")
    midi.with_suffix(".json").write_text('{"composition": {"bars": 0}}')
    with pytest.raises(Unreadable, match="completely"):
        compose_cells_again(midi, tmp_path / "more", sound="none")


def other_bundle(folder: Path) -> Path:
    """Some other model."""
    return write_little_bundle(folder / "little").folder


def test_bars_in_which_no_note_begins_are_named(bundle: Bundle) -> None:
    sparse = 0
    for made in compose_cells(bundle, Composition(8, (40,)), Manner(longest_silence=32, n=12, seed=2)):
        without = sorted({*range(8)} - {*bars_of(made).tolist()})
        said = [remark for remark in made.remarks if "no note begins" in remark]
        assert bool(said) == bool(without)
        if said:
            sparse += 1
            numbers = [
                part.partition("-") for part in said[0].split("bar", 1)[1].lstrip("s").split(" no ")[0].split(",")
            ]
            told = [bar - 1 for low, _, high in numbers for bar in range(int(low), int(high or low) + 1)]
            assert told == without
    assert sparse


def test_every_instrument_that_is_asked_sounds(bundle: Bundle) -> None:
    programs = (40, 40, 41, 42, 0, 128)
    for made in compose_cells(bundle, Composition(2, programs), Manner(n=16, seed=3)):
        assert len(made.score.tracks) == 6
        assert [t.name for t in made.score.tracks] == [
            *("Violin 1", "Violin 2", "Viola", "Cello", "Acoustic Grand Piano", "Drums")
        ]


def test_no_silence_is_longer_than_its_guard_lets_it_be(bundle: Bundle) -> None:
    for made in compose_cells(bundle, Composition(12, (40,)), Manner(n=8, seed=3)):
        notes = note_array(made.score)
        ends = np.maximum.accumulate(np.append(0, notes["onset"] + notes["duration"]))
        beats = (np.append(notes["onset"], 12 * 4 * made.score.ticks_per_quarter) - ends) / made.score.ticks_per_quarter
        assert beats.max() <= 8 + 4  # a bar more, in whose course the note comes that ends it


def test_instruments_play_what_they_play_in_the_learnt_music(bundle: Bundle) -> None:
    codec = bundle.codec()
    assert isinstance(codec, Cells)
    program = codec.usual(0)[0]
    low, high = codec.ranges[program].tolist()
    assert 0 < low < high < 127
    for made in compose_cells(bundle, Composition(8, (program, 128)), Manner(n=8, seed=3)):
        notes = note_array(made.score)
        own = notes["pitch"][notes["program"] == program]
        assert len(own)
        assert ((own >= low) & (own <= high)).all()
    learnt = np.flatnonzero(codec.used[vocabulary()["pitch"].start : vocabulary()["pitch"].stop])
    other = int(learnt[(learnt < low) | (learnt > high)][0])  # which another instrument has
    for made in compose_cells(bundle, Composition(2, (program,)), Manner(Asked(lowest=other, highest=other), n=4)):
        assert set(note_array(made.score)["pitch"].tolist()) == {other}  # who asks for it gets it


@pytest.mark.parametrize(
    ("programs", "asked"),
    [
        ((0,), Asked(density=4, polyphony=1)),
        ((0,), Asked(density=4, polyphony=3)),
        ((73, 40), Asked(density=2, polyphony=1)),
        ((73,), Asked(density=4, lowest=60, highest=62)),
        ((40,), Asked(density=8, lowest=60, highest=60)),
    ],
)
def test_a_density_is_kept_where_few_notes_may_sound(bundle: Bundle, programs: tuple[int, ...], asked: Asked) -> None:
    for made in compose_cells(bundle, Composition(4, programs, metre=(4, 4)), Manner(asked, n=4, seed=1)):
        notes = note_array(made.score)
        for program in programs:
            onsets = notes["onset"][notes["program"] == program] // (4 * made.score.ticks_per_quarter)
            each = np.bincount(onsets, minlength=4)
            wanted = 4 * cast(float, asked.density)
            assert ((each >= wanted / 1.32) & (each <= wanted * 1.32)).all(), each


def test_no_version_is_none(bundle: Bundle) -> None:
    with pytest.raises(ImpossibleRequest, match="0 pieces"):
        Manner(n=0)
    with pytest.raises(ImpossibleRequest, match="more than 0"):
        Manner(longest_silence=0)


def test_what_is_no_length_metre_or_tempo_is_refused_before_it_is_counted_with(bundle: Bundle) -> None:
    codec = bundle.codec()
    assert isinstance(codec, Cells)
    for seconds, metre, tempo in ((5, None, 0), (5, (0, 4), None), (5, (4, 0), None), (5, None, math.nan)):
        with pytest.raises(ImpossibleRequest, match=r"A tempo is|no metre"):
            bars_within(seconds, codec, metre=metre, tempo=tempo)
    with pytest.raises(ImpossibleRequest, match="cannot last"):
        bars_within(math.inf, codec)


@pytest.mark.parametrize(
    "odd",
    [{"form": 5}, {"metre": [3]}, {"programs": 7}, {"bars": "many"}, {"programs": [999]}, {"tempo": [1]}],
)
def test_a_piece_whose_facts_make_no_sense_is_not_made_again(
    bundle: Bundle, tmp_path: Path, odd: dict[str, Any]
) -> None:
    ((midi, _),) = compose_cells_into(tmp_path / "one", bundle, Composition(2, (0,)), Manner(), sound="none")
    file = midi.with_suffix(".json")
    facts = json.loads(file.read_text())
    for changed in (
        {**facts, "composition": {**facts["composition"], **odd}},
        {**facts, "asked": {**facts["asked"], "chords": [999]}},
        {**facts, "asked": {**facts["asked"], "key": 5}},
        {**facts, "longest_note": -1},
    ):
        file.write_text(json.dumps(changed))
        with pytest.raises(Unreadable, match="completely"):
            compose_cells_again(midi, tmp_path / "no", sound="none")
