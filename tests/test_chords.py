"""The chords codec: the tutorials' tokens, and the ones with rhythm."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import symusic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from partimento.codec import Request
from partimento.codecs.chords import Chords, ChordSettings
from partimento.codecs.chords.classic import extract
from partimento.codecs.chords.naming import NOTE_NAMES, chord_name, chord_pitches, normal_order
from partimento.errors import InvalidBundle, InvalidSettings
from partimento.score import Note, Score, Tempo, TimeSignature, Track, bar_lines, end_tick, seconds_at
from partimento.settings import from_table

from music import requests, scores

FEW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
EOS = 2


def piece(*parts: list[tuple[float, float, int]], program: int = 0, name: str = "", velocity: int = 80) -> Score:
    """A score of parts, each of (onset, duration, pitch) in beats."""
    score = Score(480)
    for index, part in enumerate(parts):
        track = Track(name or f"part {index}", program, False)
        track.notes.extend([Note(round(on * 480), round(dur * 480), pitch, velocity) for on, dur, pitch in part])
        score.tracks.append(track)
    return score


def chorale(seed: int, bars: int = 6) -> Score:
    """Four parts on quarters and eighths, so that there are chords of many kinds."""
    rng = np.random.default_rng(seed)
    scale = [p for p in range(40, 82) if p % 12 in (0, 2, 4, 5, 7, 9, 11)]
    parts = []
    for voice in range(4):
        at, part = 0.0, []
        while at < 4 * bars:
            length = float(rng.choice([0.5, 1, 1, 1, 2]))
            part.append((at, length, scale[int(rng.integers(8)) + 5 * voice]))
            at += length
        parts.append(part)
    hands = parts[0] + parts[1], parts[2] + parts[3]
    return piece(*hands, velocity=int(rng.integers(30, 120)))


CHORALES = [chorale(seed) for seed in range(12)]


def learnt(pieces: list[Score] = CHORALES, **chosen: object) -> Chords:
    codec = Chords(from_table(ChordSettings, chosen, "codec"))
    codec.learn(pieces)
    return codec


WAYS = {
    "default": learnt(least=1),
    "few chords": learnt(chords=9, widest=3),
    "no chords": learnt(chords=0),
    "no loudness": learnt(levels=1),
    "two levels, sixteenths": learnt(levels=2, steps_per_beat=4),
    "odd": learnt(levels=7, steps_per_beat=5, order="name"),
    "finest": learnt(levels=64, steps_per_beat=48),
    "coarsest": learnt(steps_per_beat=1),
    "not learnt": Chords(),
    "classic": learnt(classic=True),
    "classic by name": learnt(classic=True, order="name"),
    "classic, all instruments": learnt(classic=True, instruments="all"),
}
every_way = pytest.mark.parametrize("codec", WAYS.values(), ids=WAYS.keys())
RHYTHMIC = [name for name in WAYS if "classic" not in name]
every_rhythm = pytest.mark.parametrize("codec", [WAYS[name] for name in RHYTHMIC], ids=RHYTHMIC)


def words(codec: Chords, score: Score) -> list[str]:
    return [codec.vocabulary[id] for id in codec.encode(score)]


def spoken(codec: Chords, names: list[str]) -> NDArray[np.int64]:
    return np.array([codec.vocabulary.index(name) for name in names], dtype=np.int64)


def drawn(codec: Chords, request: Request, seed: int, prompt: NDArray[np.int64] | None = None) -> list[int]:
    grammar, rng = codec.grammar(), np.random.default_rng(seed)
    grammar.start(request)
    for id in [] if prompt is None else prompt.tolist():
        grammar.advance(id)
    grammar.begin()
    ids: list[int] = []
    while len(ids) < 3000:
        choices = np.flatnonzero(grammar.mask())
        id = int(rng.choice(choices))
        grammar.advance(id)
        if id == EOS:
            break
        ids.append(id)
    return ids


# Names


def test_notes_are_named_as_music21_names_them() -> None:
    assert [NOTE_NAMES[p] for p in (0, 21, 60, 61, 63, 66, 68, 70, 127)] == [
        *("C-1", "A0", "C4", "C#4", "E-4", "F#4", "G#4", "B-4", "G9"),
    ]
    assert len(set(NOTE_NAMES)) == 128


@given(st.lists(st.integers(0, 127), min_size=1, max_size=8))
def test_a_chords_name_tells_its_pitches(pitches: list[int]) -> None:
    assert chord_pitches(chord_name(pitches)) == tuple(pitches)


@pytest.mark.parametrize(
    ("pitches", "order"),
    [
        ([], ()),
        ([60, 72], (0,)),
        ([60, 64, 67], (0, 4, 7)),
        ([64, 69], (4, 9)),
        ([58, 62, 65], (10, 2, 5)),
        ([68, 69, 74, 79], (7, 8, 9, 2)),  # the examples of music21's documentation
        ([55, 62, 68, 69, 72, 76], (7, 8, 9, 0, 2, 4)),
        ([53, 57, 61], (1, 5, 9)),
        ([83, 67, 74, 75, 86], (11, 2, 3, 7)),
    ],
)
def test_normal_order(pitches: list[int], order: tuple[int, ...]) -> None:
    assert normal_order(pitches) == order


@given(st.lists(st.integers(0, 115), min_size=1, max_size=8), st.integers(0, 11))
def test_normal_order_has_each_pitch_class_and_spans_least(pitches: list[int], semitones: int) -> None:
    order = normal_order(pitches)
    assert sorted(order) == sorted({p % 12 for p in pitches})
    gaps = [(b - a) % 12 for a, b in zip(order, (*order[1:], order[0]), strict=True)] if len(order) > 1 else [12]
    assert gaps[-1] == max(gaps), "the widest gap is outside"
    assert sorted(normal_order([p + semitones for p in pitches])) == sorted((c + semitones) % 12 for c in order)


# The tutorials' way


def test_notes_that_start_and_end_together_are_a_chord() -> None:
    near, far = 29 / 480, 31 / 480  # a sixteenth of a beat is 30 ticks
    assert extract(piece([(0, 1, 60), (near, 1, 64), (near, 1 - near, 67)])) == ["0.4.7"]
    assert extract(piece([(0, 1, 60), (far, 1 - far, 64)])) == ["C4", "E4"]
    assert extract(piece([(0, 1, 60), (0, 1 + far, 64)])) == ["C4", "E4"]


def test_a_chord_is_of_one_track_and_tracks_take_turns_in_time() -> None:
    assert extract(piece([(0, 1, 72), (1, 1, 74)], [(0, 1, 48), (0.5, 1, 50)])) == ["C5", "C3", "D3", "D5"]


def test_onsets_are_put_in_order_by_quarters_and_thirds_of_a_beat() -> None:
    late, early = 1 + 20 / 480, 1 - 20 / 480  # both come to the beat, where the first track goes first
    assert extract(piece([(late, 1, 72)], [(early, 1, 48)])) == ["C5", "C3"]
    assert extract(piece([(1 / 3, 1, 72)], [(0.25, 1, 48)])) == ["C3", "C5"]


def test_only_the_first_instrument_that_plays_is_taken_and_no_drums() -> None:
    score = piece([(0, 1, 60)], program=40)
    drums, other = Track("", 0, True), Track("", 0, False)
    drums.notes.append(Note(0, 100, 36, 80))
    other.notes.append(Note(0, 480, 72, 80))
    score.tracks = [drums, Track("nothing", 9, False), *score.tracks, other]
    assert extract(score) == ["C4"]
    assert extract(score, "all") == ["C4", "C5"]
    assert extract(Score(480)) == []


def test_tracks_of_one_name_are_one_track_unless_it_is_a_players() -> None:
    parts = [(0, 1, 60)], [(0, 1, 64)]
    assert extract(piece(*parts, name="Prelude")) == ["0.4"]
    assert extract(piece(*parts, name="Piano")) == ["C4", "E4"]
    apart = piece(*parts, name="Prelude")
    apart.tracks[1].program = 40
    assert extract(apart, "all") == ["C4", "E4"], "instruments make no chord together"


def test_classic_plays_a_token_each_half_beat() -> None:
    codec = learnt([piece([(0, 1, 75), (1, 1, 60), (1, 1, 67), (2, 1, 57), (2, 1, 69)])], classic=True)
    assert codec.vocabulary == ["pad", "bos", "eos", "7.0", "9", "E-5"]
    score = codec.decode(spoken(codec, ["E-5", "7.0", "9", "E-5"]))
    beat = score.ticks_per_quarter
    assert [(n.time / beat, n.duration / beat, n.pitch) for n in score.tracks[0].notes] == [
        (0, 1, 75),
        *((0.5, 1, 60), (0.5, 1, 67)),
        *((1, 1, 69), (1, 1, 81)),
        (1.5, 0.5, 75),
    ]
    assert score.tempos[0].qpm == pytest.approx(120)


def test_classic_holds_no_pitch_twice() -> None:
    codec = learnt([piece([(0, 1, 60), (1, 1, 60), (1, 1, 64)])], classic=True)
    notes = codec.decode(spoken(codec, ["C4", "0.4", "C4", "C4"])).tracks[0].notes
    ends = {}
    for note in sorted(notes, key=lambda n: n.time):
        assert ends.get(note.pitch, 0) <= note.time
        ends[note.pitch] = note.time + note.duration


def test_classic_drops_what_was_not_learnt() -> None:
    codec = learnt([piece([(0, 1, 60), (1, 1, 62)])], classic=True)
    assert words(codec, piece([(0, 1, 62), (1, 1, 61), (2, 1, 60), (2, 1, 64)])) == ["D4"]


def test_ids_go_by_frequency_and_then_name_or_by_name_alone() -> None:
    score = piece([(0, 1, 62), (1, 1, 60), (2, 1, 62), (3, 1, 59)])
    assert learnt([score], classic=True).vocabulary[3:] == ["D4", "B3", "C4"]
    assert learnt([score], classic=True, order="name").vocabulary[3:] == ["B3", "C4", "D4"]


# With rhythm


def test_a_piece_reads_like_this() -> None:
    score = piece([(0, 1, 60), (0, 1, 64), (1, 0.5, 67), (1, 2, 48), (6.5, 0.5, 67), (12, 1, 60)], velocity=80)
    score.tempos.append(Tempo(0, 84.9))
    score.time_signatures.append(TimeSignature(0, 3, 4))
    assert words(learnt([score], least=1), score) == [
        *("tempo 84.9", "metre 3/4"),
        *("at 0", "C4.E4"),
        *("at 12", "C3", "long 24", "G4", "long 6"),
        *("bar", "bar", "at 6", "G4"),
        *("bar", "bar", "at 0", "C4", "long 12"),
    ]


def test_a_place_not_after_the_last_is_in_the_next_bar() -> None:
    score = piece([(0, 1, 60), (4, 1, 60), (11, 1, 60), (12, 1, 60)])
    names = words(learnt([score]), score)
    assert [n for n in names if n == "bar" or n.startswith("at")] == ["at 0", "at 0", "bar", "at 36", "at 0"]


def test_loudness_is_told_where_it_changes() -> None:
    score = piece([(0, 1, 60), (1, 1, 60), (2, 1, 60), (3, 1, 60)])
    for note, velocity in zip(score.tracks[0].notes, (80, 20, 24, 120), strict=True):
        note.velocity = velocity
    told = {levels: words(learnt([score], levels=levels), score) for levels in (1, 3, 8)}
    told = {levels: [name for name in names if name.startswith("loud")] for levels, names in told.items()}
    assert told == {1: [], 3: ["loud 22", "loud 120"], 8: ["loud 20", "loud 24", "loud 120"]}


def test_an_unknown_chord_is_spelt_by_known_ones_and_nothing_is_lost() -> None:
    codec = learnt([piece([(at, 1, p) for at in range(3) for p in (60, 64, 67)])])
    wide = piece([(0, 1, p) for p in (36, 60, 64, 67, 72, 100)])
    assert words(codec, wide)[3:] == ["C2", "C4.E4.G4", "C5", "E7"]
    assert sorted(n.pitch for n in codec.decode(codec.encode(wide)).tracks[0].notes) == [36, 60, 64, 67, 72, 100]


def test_seldom_and_wide_chords_are_not_learnt() -> None:
    score = piece([(at, 1, p) for at in range(5) for p in (60, 64)], [(9, 1, 60), (9, 1, 67)])
    assert "C4.E4" in learnt([score], least=5).vocabulary
    assert "C4.E4" not in learnt([score], least=6).vocabulary
    assert "C4.G4" not in learnt([score]).vocabulary
    assert "C4.E4" not in learnt([score], widest=1).vocabulary


def test_the_vocabulary_is_the_same_whatever_the_order_of_the_pieces() -> None:
    assert learnt(CHORALES).vocabulary == learnt(CHORALES[::-1]).vocabulary


@every_way
@FEW
@given(score=scores())
def test_what_was_decoded_is_encoded_as_before(codec: Chords, score: Score) -> None:
    x = codec.encode(score)
    np.testing.assert_array_equal(codec.encode(codec.decode(x)), x)


@every_rhythm
@FEW
@given(score=scores())
def test_onsets_and_pitches_survive_to_the_nearest_step(codec: Chords, score: Score) -> None:
    steps = codec.settings.steps_per_beat
    decoded = codec.decode(codec.encode(score))

    def heard(s: Score) -> set[tuple[int, int]]:
        ticks = s.ticks_per_quarter
        return {
            ((2 * n.time * steps + ticks) // (2 * ticks), n.pitch) for t in s.tracks if not t.is_drum for n in t.notes
        }

    assert heard(decoded) == heard(score)


@every_rhythm
@FEW
@given(score=scores())
def test_the_grammar_allows_every_piece(codec: Chords, score: Score) -> None:
    grammar = codec.grammar()
    grammar.start(Request(longest_silence=1e6, longest_note=1e6))
    grammar.begin()
    x = codec.encode(score)
    for id in x.tolist():
        assert grammar.mask()[id]
        grammar.advance(id)
    assert grammar.mask()[EOS] == bool(len(x))
    assert not grammar.acted


@every_way
@FEW
@given(request=requests(), seed=st.integers(0, 2**32 - 1), cut=st.floats(0, 1), which=st.integers(-1, 3))
def test_what_is_drawn_is_what_was_asked_for(
    codec: Chords, request: Request, seed: int, cut: float, which: int
) -> None:
    prompt = codec.encode(CHORALES[which] if which >= 0 else Score(480))
    prompt = prompt[: int(cut * len(prompt))]
    whole = np.concatenate([prompt, np.array(drawn(codec, request, seed, prompt), dtype=np.int64)])
    before, after = codec.decode(prompt), codec.decode(whole)
    if after.note_num():
        np.testing.assert_array_equal(codec.encode(after), whole)
    if request.notes is not None:
        assert codec.notes(whole) - codec.notes(prompt) == request.notes
    if request.bars is not None and (
        not len(prompt) or not codec.vocabulary[prompt[-1]].startswith(("at", "bar", "loud"))
    ):
        bars = len(bar_lines(before)) if before.note_num() else 0
        assert len(bar_lines(after)) == bars + request.bars
    if request.seconds is not None:
        first, last = (seconds_at(s, np.array([end_tick(s)]))[0] for s in (before, after))
        assert last <= first + request.seconds + 1e-3


@every_rhythm
@FEW
@given(request=requests(), seed=st.integers(0, 2**32 - 1))
def test_neither_silence_nor_a_stuck_note_is_drawn(codec: Chords, request: Request, seed: int) -> None:
    steps = codec.settings.steps_per_beat
    score = codec.decode(np.array(drawn(codec, request, seed), dtype=np.int64))
    if not score.tracks:
        return
    ticks = score.ticks_per_quarter
    notes = sorted(score.tracks[0].notes, key=lambda n: n.time)
    assert max(n.duration for n in notes) / ticks <= max(request.longest_note, 1 / steps)
    end = 0
    for note in notes:
        assert (note.time - end) / ticks <= request.longest_silence
        end = max(end, note.time + note.duration)


def test_guards_tell_that_they_acted() -> None:
    codec = WAYS["default"]
    grammar = codec.grammar()
    grammar.start(Request(longest_silence=1.0, longest_note=2.0))
    grammar.begin()
    for name in ("tempo 120", "metre 4/4", "at 0"):
        grammar.advance(codec.vocabulary.index(name))
    grammar.mask()
    assert not grammar.acted
    grammar.advance(codec.vocabulary.index("C4"))
    allowed = {codec.vocabulary[id] for id in np.flatnonzero(grammar.mask())}
    assert {"at 24", "long 24"} <= allowed
    assert not {"at 25", "bar", "long 30"} & allowed
    assert grammar.acted == {"silence": 1, "stuck note": 1}
    grammar.start(Request())
    assert not grammar.acted


def test_classic_counts_as_near_as_its_chords_allow() -> None:
    codec = learnt([piece([(0, 1, 60), (0, 1, 64)])], classic=True)
    assert len(drawn(codec, Request(notes=7), 0)) == 3
    assert drawn(Chords(ChordSettings(classic=True)), Request(notes=3), 0) == []


@every_way
def test_a_saved_codec_is_the_same(codec: Chords, tmp_path: Path) -> None:
    codec.save(tmp_path)
    loaded = Chords.load(tmp_path, codec.settings)
    assert loaded.vocabulary == codec.vocabulary
    assert loaded.spec == codec.spec
    for score in CHORALES[:3]:
        np.testing.assert_array_equal(loaded.encode(score), codec.encode(score))


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{", "{}"),
        *('{"chords": ["H4"], "metres": [], "loud": [80]}', '{"chords": [""], "metres": [], "loud": [80]}'),
        *('{"chords": ["E4.C4"], "metres": [], "loud": [80]}', '{"chords": [], "metres": [[4, 5, 6]], "loud": [80]}'),
        *('{"chords": [], "metres": [[4, 0]], "loud": []}', '{"chords": [], "metres": [[0, 4]], "loud": [80]}'),
        *('{"chords": [], "metres": [], "loud": []}', '{"chords": [], "metres": [], "loud": [128]}'),
    ],
)
def test_a_changed_vocabulary_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "vocabulary.json").write_text(content)
    with pytest.raises(InvalidBundle, match="vocabulary"):
        Chords.load(tmp_path, ChordSettings())


@pytest.mark.parametrize("content", ["", '{"chords": ["4.x"], "metres": [], "loud": [80]}'])
def test_a_changed_classic_vocabulary_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "vocabulary.json").write_text(content)
    with pytest.raises(InvalidBundle, match="vocabulary"):
        Chords.load(tmp_path, ChordSettings(classic=True))


def test_a_missing_vocabulary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidBundle, match="missing"):
        Chords.load(tmp_path, ChordSettings())


@pytest.mark.parametrize("wrong", [{"levels": 0}, {"steps_per_beat": 49}, {"order": "size"}, {"program": 128}])
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidSettings, match=next(iter(wrong))):
        from_table(ChordSettings, wrong, "codec")


# Against the tutorials themselves, on the songs that they all use

DATA = os.environ.get("PARTIMENTO_DATA")
on_data = pytest.mark.skipif(not DATA, reason="PARTIMENTO_DATA does not name a folder of data sets")
SONGS = Path(DATA or ".") / "classical-piano-composer"


def played_by(name: str) -> Score:
    """The song, less what only the file tells: two of these four staves carry no program change."""
    score = symusic.Score(str(SONGS / "midi_songs" / name))
    if name == "EyesOnMePiano.mid":
        score.tracks = score.tracks[:2]
    return score


@pytest.mark.long
@on_data
def test_the_songs_are_extracted_as_the_tutorials_extracted_them() -> None:
    """72 of the 92 songs, put in the right order, are the token list of xiaohuiduan/lstm-music; it has no others."""
    tokens = (SONGS / "xiaohuiduan_tokens.txt").read_text().split()
    text = " ".join(["", *tokens, ""])
    found = {}
    for path in sorted((SONGS / "midi_songs").glob("*.mid")):
        song = extract(played_by(path.name))
        at = text.find(" ".join(["", *song, ""]))
        if at >= 0:
            found[text[:at].count(" ")] = len(song)
    assert len(found) == 72
    assert sorted([0, *(start + length for start, length in found.items())]) == sorted([*found, len(tokens)])


@pytest.mark.long
@on_data
def test_the_songs_are_extracted_nearly_as_music21_does_it_today() -> None:
    """Tokens in common, in whatever order, with ties across bar lines left out; docs/codecs/chords.md tells why."""
    music21 = pytest.importorskip("music21")
    ours, theirs, common, same = 0, 0, 0, 0
    for path in sorted((SONGS / "midi_songs").glob("*.mid"))[::4]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = music21.converter.parse(str(path), forceSource=True)
            parts = music21.instrument.partitionByInstrument(parsed).parts
            its = next(tokens for part in parts if (tokens := _tokens_by_music21(part)))
        mine = extract(played_by(path.name))
        ours, theirs, same = ours + len(mine), theirs + len(its), same + (mine == its)
        common += (Counter(mine) & Counter(its)).total()
    assert 2 * common / (ours + theirs) > 0.9
    assert same >= 6


def _tokens_by_music21(part: Any) -> list[str]:
    tokens = []
    for element in part.recurse().notes:
        if element.tie is not None and element.tie.type != "start":
            continue
        if element.isChord:
            tokens.append(".".join(str(c) for c in element.normalOrder))
        elif element.isNote:
            tokens.append(str(element.pitch))
    return tokens


@pytest.mark.long
def test_normal_order_is_music21s() -> None:
    music21 = pytest.importorskip("music21")
    for bits in np.random.default_rng(0).choice(np.arange(1, 4096), 400, replace=False).tolist():
        classes = [c for c in range(12) if bits >> c & 1]
        assert list(normal_order(classes)) == music21.chord.Chord(classes).normalOrder
