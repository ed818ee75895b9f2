"""The tokens codec: what it keeps, how it places music, and what its grammar forbids."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from partimento.codec import Request
from partimento.codecs.tokens import Tokens
from partimento.errors import ImpossibleRequest, InvalidBundle, InvalidSettings
from partimento.metres import METRES, Metre, same_length
from partimento.score import Note, Score, Tempo, TimeSignature, Track, bar_lines, note_array, seconds_at
from partimento.settings import from_table

from music import requests, scores, tune

FEW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
CODEC = Tokens(Tokens.Settings())
NAMES = CODEC.vocabulary.names
Choose = Callable[[NDArray[np.int64]], int]


def made(
    notes: list[tuple[float, float, int]],
    metres: list[tuple[float, int, int]] = (),
    drums: bool = False,
    program: int = 0,
) -> Score:
    """A score from (onset, duration, pitch) and (time, numerator, denominator), in quarter notes."""
    score = Score(480)
    track = Track("", program, drums)
    track.notes.extend([Note(round(480 * o), round(480 * d), p, 64) for o, d, p in notes])
    score.tracks.append(track)
    score.time_signatures.extend([TimeSignature(round(480 * t), n, d) for t, n, d in metres])
    return score


def heard(score: Score) -> list[tuple[float, float, int, int]]:
    """Onset and duration in quarter notes, pitch and program of each note."""
    t = score.ticks_per_quarter
    return [(n["onset"] / t, n["duration"] / t, int(n["pitch"]), int(n["program"])) for n in note_array(score)]


def back(score: Score) -> Score:
    return CODEC.decode(CODEC.encode(score))


def ids(*names: str) -> list[int]:
    return [NAMES.index(name) for name in names]


def continued(
    codec: Tokens, request: Request, choose: Choose, prompt: Any = (), limit: int = 3000
) -> tuple[list[int], Any]:
    grammar = codec.grammar()
    grammar.start(request)
    for id in prompt:
        grammar.advance(int(id))
    grammar.begin()
    drawn: list[int] = []
    while len(drawn) < limit:
        id = choose(np.flatnonzero(grammar.mask()))
        if id == codec.spec.eos:
            break
        grammar.advance(id)
        drawn.append(id)
    return drawn, grammar


def evenly(seed: int) -> Choose:
    rng = np.random.default_rng(seed)
    return lambda choices: int(rng.choice(choices))


# ---- the codec


def test_a_bar_reads_as_bars_positions_and_notes() -> None:
    score = made([(0, 1, 60), (0, 1, 64), (1.5, 0.5, 62)])
    kit = Track("", 0, True)
    kit.notes.append(Note(0, 240, 36, 100))
    score.tracks.append(kit)
    assert [NAMES[id] for id in CODEC.encode(score)] == [
        *("Bar_None", "TimeSig_4/4", "Position_0", "Tempo_120.0"),
        *("Program_0", "Pitch_60", "Velocity_63", "Duration_1.0.12", "Pitch_64", "Velocity_63", "Duration_1.0.12"),
        *("Program_-1", "PitchDrum_36", "Velocity_99", "Duration_0.6.12"),
        *("Position_18", "Program_0", "Pitch_62", "Velocity_63", "Duration_0.6.12"),
    ]


@FEW
@given(score=scores())
def test_the_ids_are_those_of_miditok(score: Score) -> None:
    """For placed music, from which MidiTok's own preprocessing is kept away."""
    placed = CODEC.grid.place(score)
    theirs = CODEC._tokenizer.encode(placed.score(), no_preprocess_score=True).ids if len(placed.notes) else []
    assert CODEC.encode(score).tolist() == theirs


@pytest.mark.parametrize(
    ("numerator", "denominator"), [(4, 4), (2, 2), (3, 2), (6, 8), (7, 8), (5, 16), (18, 8), (24, 16)]
)
def test_sixteenths_and_triplets_survive_exactly_in_every_metre(numerator: int, denominator: int) -> None:
    notes = [(i / 4, 0.25, 60 + i) for i in range(12)] + [(3 + i / 3, 1 / 3, 80 + i) for i in range(12)]
    score = made(notes, [(0, numerator, denominator)])
    assert [tuple(np.round(n, 6)) for n in heard(back(score))] == [tuple(np.round(n, 6)) for n in heard(score)]
    np.testing.assert_allclose(
        bar_lines(back(score)) / 48, bar_lines(score, until=7 * 480) / 480, atol=1e-9, strict=False
    )


@FEW
@given(score=scores())
def test_no_note_is_lost_or_moved_by_more_than_half_a_step(score: Score) -> None:
    came = {(p, i): [] for _, _, p, i in heard(score)}
    decoded = back(score)
    for onset, _, pitch, program in heard(decoded):
        came[pitch, program].append(onset)
    for onset, _, pitch, program in heard(score):
        assert min(abs(onset - o) for o in came[pitch, program]) <= 1 / 24 + 1e-9
    assert decoded.note_num() <= score.note_num()


@FEW
@given(
    changes=st.lists(st.tuples(st.integers(0, 60), st.sampled_from(METRES)), max_size=4, unique_by=lambda c: c[0]),
)
def test_bars_begin_where_they_did_also_where_a_metre_cuts_one_short(changes: list[tuple[int, Metre]]) -> None:
    score = made([(16, 1, 60)], [(0, 4, 4), *((t / 4, *metre) for t, metre in sorted(changes) if t)])
    want = {float(b) for b in bar_lines(score, until=16 * 480 + 1) / 480}
    found = {float(b) for b in bar_lines(back(score), until=16 * 48 + 1) / 48}
    assert want <= found, "every bar line is kept"
    # a bar that a metre cuts short may need two: no single metre is 13 sixteenths long
    assert len(found - want) <= len(changes)


@pytest.mark.parametrize(
    ("given_metre", "told"),
    [
        ((2, 2), (4, 4)),
        ((4, 1), None),
        ((18, 8), (9, 4)),
        ((24, 16), (12, 8)),
        ((6, 32), (3, 16)),
        ((13, 8), None),
        ((0, 4), None),
    ],
)
def test_a_metre_without_a_token_is_told_by_one_of_the_same_length(
    given_metre: tuple[int, int], told: tuple[int, int] | None
) -> None:
    assert same_length(*given_metre) == told


def test_a_note_ends_where_its_pitch_is_struck_anew() -> None:
    assert heard(back(made([(0, 4, 60), (1, 1, 60)]))) == [(0, 1, 60, 0), (1, 1, 60, 0)]


def test_notes_doubled_within_an_instrument_become_one_and_of_two_instruments_stay_two() -> None:
    score = made([(0, 1, 60), (0, 2, 60)])
    score.tracks.append(made([(0, 1, 60)], program=40).tracks[0])
    assert heard(back(score)) == [(0, 2, 60, 0), (0, 1, 60, 40)]


def test_long_notes_end_after_sixteen_beats() -> None:
    assert heard(back(made([(0, 100, 60)])))[0][1] == 16


@pytest.mark.parametrize("velocity", [1, 2, 64, 126, 127])
def test_velocity_is_kept_within_two(velocity: int) -> None:
    score = made([(0, 1, 60)])
    score.tracks[0].notes[0].velocity = velocity
    assert abs(back(score).tracks[0].notes[0].velocity - velocity) <= 2


@FEW
@given(qpm=st.floats(15, 480), later=st.floats(15, 480))
def test_tempo_changes_are_kept_within_three_per_cent(qpm: float, later: float) -> None:
    score = made([(0, 1, 60), (8, 1, 60)])
    score.tempos.extend([Tempo(0, qpm), Tempo(4 * 480, later)])
    decoded = back(score)
    for now, before in ((8, 4), (4, 0)):
        took = np.diff(seconds_at(score, np.array([before, now]) * 480))[0]
        takes = np.diff(seconds_at(decoded, np.array([before, now]) * 48))[0]
        assert takes == pytest.approx(took, rel=0.03)


def test_silent_bars_before_and_between_are_kept_and_those_after_are_not() -> None:
    score = made([(4, 1, 60), (16, 1, 62)], [(0, 4, 4), (40, 3, 4)])
    assert [NAMES[id] for id in CODEC.encode(score)].count("Bar_None") == 5
    assert [o for o, *_ in heard(back(score))] == [4, 16]


def test_no_notes_no_ids() -> None:
    assert CODEC.encode(Score(480)).shape == (0,)
    assert CODEC.decode(np.empty(0, dtype=np.int64)).note_num() == 0


@pytest.mark.parametrize(
    "table",
    [
        {"steps_per_beat": 1},
        {"steps_per_beat": 5},
        {"steps_per_beat": 24},
        {"velocities": 1},
        {"velocities": 127, "tempi": 2},
    ],
)
def test_other_settings_keep_the_laws(table: dict[str, int]) -> None:
    codec = Tokens(from_table(Tokens.Settings, table, "codec"))
    for seed in range(3):
        x = codec.encode(tune(seed))
        np.testing.assert_array_equal(codec.encode(codec.decode(x)), x)
        drawn, _ = continued(codec, Request(bars=3), evenly(seed), x[: 40 * seed])
        whole = np.append(x[: 40 * seed], drawn)
        np.testing.assert_array_equal(codec.encode(codec.decode(whole)), whole)


@pytest.mark.parametrize("table", [{"steps_per_beat": 0}, {"velocities": 128}, {"tempi": 1}, {"velocity": 3}])
def test_settings_that_make_no_sense_are_refused(table: dict[str, int]) -> None:
    with pytest.raises(InvalidSettings, match=next(iter(table))):
        from_table(Tokens.Settings, table, "codec")


def test_ids_beyond_the_vocabulary_are_passed_over() -> None:
    x = CODEC.encode(tune(0))
    assert CODEC.decode(np.insert(x, 7, [-5, 10**6])) == CODEC.decode(x)
    assert CODEC.notes(np.insert(x, 7, [-5, 10**6])) == CODEC.notes(x)


@pytest.mark.parametrize("content", [None, "", "[]", "{}", json.dumps({"Pitch_1": True})])
def test_a_vocabulary_that_does_not_fit_is_refused_with_its_name(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "vocabulary.json").write_text(content)
    with pytest.raises(InvalidBundle, match=r"vocabulary\.json"):
        Tokens.load(tmp_path, Tokens.Settings())


def test_neither_torch_nor_the_network_is_touched() -> None:
    """Where torch is installed, MidiTok would import it; here it is never asked for."""
    code = """
import sys, socket
socket.socket.connect = None
import partimento.codecs.tokens as tokens
assert "miditok" not in sys.modules, "importing the codec is quick"
codec = tokens.Tokens(tokens.Tokens.Settings())
assert codec.decode([3, 10]).note_num() == 0
assert "torch" not in sys.modules
assert "miditok.pytorch_data" not in sys.modules, "others may still import it"
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- the grammar


@FEW
@given(request=requests(), seed=st.integers(0, 2**31), cut=st.integers(0, 300), which=st.integers(0, 5))
def test_what_is_drawn_is_in_the_form_that_encode_gives(request: Request, seed: int, cut: int, which: int) -> None:
    prompt = CODEC.encode(tune(which))[:cut]
    drawn, _ = continued(CODEC, request, evenly(seed), prompt)
    whole = np.append(prompt, drawn)
    np.testing.assert_array_equal(CODEC.encode(CODEC.decode(whole)), whole)


@FEW
@given(bars=st.integers(1, 5), seed=st.integers(0, 2**31), cut=st.integers(0, 300))
def test_whole_new_bars_after_a_prompt_cut_anywhere(bars: int, seed: int, cut: int) -> None:
    prompt = CODEC.encode(tune(1))[:cut]
    drawn, _ = continued(CODEC, Request(bars=bars), evenly(seed), prompt)
    assert drawn.count(NAMES.index("Bar_None")) == bars
    score = CODEC.decode(np.append(prompt, drawn))
    lines = bar_lines(score)
    assert note_array(score)["onset"].max() >= lines[-1], "the last bar is no empty one"
    assert len(lines) == [NAMES[id] for id in (*prompt, *drawn)].count("Bar_None"), "no note rings on into another"


@FEW
@given(seed=st.integers(0, 2**31), seconds=st.floats(2, 20))
def test_seconds_are_filled_to_within_a_quarter_note(seed: int, seconds: float) -> None:
    drawn, _ = continued(CODEC, Request(seconds=seconds), evenly(seed))
    score = CODEC.decode(np.array(drawn))
    onset = note_array(score)["onset"].max(initial=0)
    last, after = seconds_at(score, np.array([onset, onset + score.ticks_per_quarter]))
    assert seconds - (after - last) - 1e-3 <= last <= seconds


@FEW
@given(silence=st.sampled_from((0.25, 1.0, 4.0, 8.0)), late=st.booleans())
def test_silence_is_broken_however_much_the_model_likes_it(silence: float, late: bool) -> None:
    def shirks(choices: NDArray[np.int64]) -> int:
        """Go on to the next bar, or the last position, whenever that is allowed."""
        kinds = [CODEC.vocabulary.kind[i] for i in choices]
        for kind in ("Bar", "Position") if late else ("Position", "Bar"):
            if kind in kinds:
                return int(choices[len(kinds) - 1 - kinds[::-1].index(kind)])
        return int(choices[0])

    drawn, grammar = continued(CODEC, Request(notes=12, longest_silence=silence), shirks)
    ends = 0.0
    for onset, duration, *_ in heard(CODEC.decode(np.array(drawn))):
        assert onset - ends <= silence + 1e-9
        ends = max(ends, onset + duration)
    assert grammar.acted["silence"] > 0


def test_notes_do_not_stick() -> None:
    drawn, grammar = continued(CODEC, Request(notes=30, longest_note=2.0), evenly(3))
    assert max(d for _, d, *_ in heard(CODEC.decode(np.array(drawn)))) <= 2
    assert 0 < grammar.acted["stuck note"] <= 30


def test_guards_that_had_nothing_to_do_say_nothing() -> None:
    grammar = CODEC.grammar()
    grammar.start(Request())
    for id in CODEC.encode(tune(2)):
        grammar.mask()
        grammar.advance(int(id))
    assert not grammar.acted


def test_all_that_is_encoded_is_allowed() -> None:
    """The grammar forbids nothing that training music does, so no probability is wasted."""
    codec = Tokens(Tokens.Settings())
    codec.learn([tune(seed) for seed in range(5)])
    for seed in range(5):
        grammar = codec.grammar()
        grammar.start(Request())
        grammar.begin()
        for id in (*codec.encode(tune(seed)), codec.spec.eos):
            assert grammar.mask()[id], NAMES[id]
            grammar.advance(int(id))


@FEW
@given(score=scores())
def test_all_that_any_score_encodes_to_is_allowed(score: Score) -> None:
    grammar = CODEC.grammar()
    grammar.start(Request(longest_silence=1000.0))
    grammar.begin()
    for id in CODEC.encode(score):
        assert grammar.mask()[id], NAMES[id]
        grammar.advance(int(id))


def test_only_what_the_folder_has_is_sampled_and_what_the_prompt_brings() -> None:
    codec = Tokens(Tokens.Settings())
    codec.learn([tune(seed) for seed in range(3)])
    drawn, _ = continued(codec, Request(notes=200), evenly(0))
    assert {t.program for t in codec.decode(np.array(drawn)).tracks if not t.is_drum} <= {0, 32}
    assert {NAMES[id] for id in drawn if NAMES[id].startswith("TimeSig")} == {"TimeSig_4/4"}
    assert {NAMES[id] for id in drawn if NAMES[id].startswith("PitchDrum")} <= {"PitchDrum_36", "PitchDrum_38"}
    prompt = codec.encode(made([(0, 1, 60), (3, 1, 62)], [(0, 3, 4)], program=73))
    drawn, _ = continued(codec, Request(notes=300), evenly(1), prompt)
    names = {NAMES[id] for id in drawn}
    assert "Program_73" in names
    assert {n for n in names if n.startswith("TimeSig")} == {"TimeSig_3/4", "TimeSig_4/4"}


def test_a_folder_without_drums_plays_those_of_the_prompt_alone() -> None:
    codec = Tokens(Tokens.Settings())
    codec.learn([tune(0, drums=False)])
    drawn, _ = continued(codec, Request(notes=200), evenly(0))
    assert not any(NAMES[id].startswith("PitchDrum") for id in drawn)
    prompt = codec.encode(made([(0, 0.5, 36), (1, 0.5, 42)], drums=True))
    drawn, _ = continued(codec, Request(notes=200), evenly(0), prompt)
    assert {NAMES[id] for id in drawn if NAMES[id].startswith("PitchDrum")} == {"PitchDrum_36", "PitchDrum_42"}
    drawn, _ = continued(codec, Request(notes=20), evenly(0), ids("Bar_None", "TimeSig_4/4", "Program_-1"))
    assert codec.notes(np.array(drawn)) == 20


def test_learning_from_silence_forbids_nothing() -> None:
    codec = Tokens(Tokens.Settings())
    codec.learn([Score(480)])
    assert codec.used.all()


def test_positions_end_with_the_bar() -> None:
    grammar = CODEC.grammar()
    for metre in METRES:
        grammar.start(Request(longest_silence=100.0))
        for id in ids("Bar_None", f"TimeSig_{metre.numerator}/{metre.denominator}", "Position_0", "Tempo_120.0"):
            grammar.advance(id)
        allowed = [NAMES[i] for i in np.flatnonzero(grammar.mask()) if NAMES[i].startswith("Position")]
        assert allowed == [f"Position_{i}" for i in range(1, 12 * metre.numerator)]


def test_a_pitch_that_sounds_is_not_struck() -> None:
    grammar = CODEC.grammar()
    grammar.start(Request())
    note = ("Velocity_63", "Duration_2.0.12")
    for id in ids(
        "Bar_None", "TimeSig_4/4", "Position_0", "Tempo_120.0", "Program_5", "Pitch_60", *note, "Position_12"
    ):
        grammar.advance(id)
    struck = grammar.mask()[CODEC.vocabulary.span["Pitch"]]
    assert np.flatnonzero(~struck).tolist() == [60]
    grammar.advance(NAMES.index("Position_24"))
    assert grammar.mask()[CODEC.vocabulary.span["Pitch"]].all()


def test_too_few_seconds_are_refused() -> None:
    with pytest.raises(ImpossibleRequest, match="seconds"):
        CODEC.grammar().start(Request(seconds=0.001))
