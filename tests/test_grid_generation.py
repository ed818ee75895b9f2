"""Making grids: lengths that are met, prompts that are kept, guards that mend; with a player that draws noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from symusic.core import NoteTickList

from partimento.codec import Request, RollSpec
from partimento.codecs.roll import Roll
from partimento.errors import ImpossibleRequest, InvalidBundle
from partimento.frames import FrameGuard, Grid, draw_cells, planes
from partimento.generation import grids
from partimento.generation.grids import GridGeneration, GridPrompt
from partimento.generation.made import Made
from partimento.progress import Progress, ignore
from partimento.sampling import Sampling
from partimento.score import Note, Score, TimeSignature, Track, note_array

PLANES = ["sustain", "onset"]


@dataclass
class Noise:
    """Cells that sound with one probability and are struck with another, `steps` frames at a time."""

    spec: RollSpec
    sounds: float = 0.05
    strikes: float = 0.6
    steps: int = 1
    hears: bool = True
    align: int = 1

    def play(self, rngs: Sequence[np.random.Generator], heard: Grid, sampling: Sampling) -> Iterator[tuple[Grid, Grid]]:
        onset, _ = planes(self.spec.channels)
        p = np.full((self.steps, self.spec.channels, self.spec.pitches), self.sounds, np.float32)
        if onset is not None:
            p[:, onset] = self.strikes
        logits = np.log(p) - np.log1p(-p)
        while True:
            chance = np.stack([rng.random(p.shape, np.float32) for rng in rngs])
            yield draw_cells(np.broadcast_to(logits, chance.shape), chance, sampling.temperature)


def codec_of(planes: str) -> Roll:
    return Roll(Roll.Settings(low=60, pitches=12, planes=planes))


def make(
    codec: Roll, player: Noise, request: Request, n: int = 1, seed: int = 0, prompt: Grid | None = None
) -> list[Made]:
    given = GridPrompt.of(codec, prompt, player.align)
    return list(GridGeneration(codec, player, request, Sampling(), given, n, seed, ignore).run())


@pytest.mark.parametrize("planes", PLANES)
@pytest.mark.parametrize("steps", [1, 10, 32])
def test_lengths_are_met(planes: str, steps: int) -> None:
    codec = codec_of(planes)
    player = Noise(codec.spec, steps=steps)
    (bars,) = make(codec, player, Request(bars=3))
    assert bars.encoded.shape == (48, codec.spec.channels, 12)
    (seconds,) = make(codec, player, Request(seconds=5.3))
    assert len(seconds.encoded) == 42, "at 120 quarter notes a minute a step is an eighth of a second"
    assert 0 < seconds.seconds <= 5.3
    (unasked,) = make(codec, player, Request())
    assert len(unasked.encoded) == 16 * 16


@given(st.sampled_from(PLANES), st.integers(1, 60), st.integers(1, 20), st.integers(0, 5), st.floats(0.02, 0.5))
def test_exactly_so_many_notes_are_made_and_the_last_ring_out(
    planes: str, notes: int, steps: int, seed: int, sounds: float
) -> None:
    codec = codec_of(planes)
    for made in make(codec, Noise(codec.spec, sounds, steps=steps), Request(notes=notes), n=2, seed=seed):
        assert made.notes == made.score.note_num() == notes
        assert not made.remarks or "guard" in made.remarks[0]
        last = note_array(made.score)
        assert len(made.encoded) <= (last["onset"] + last["duration"]).max() + 1, "it ends when the last has ended"


def test_notes_that_never_come_are_said() -> None:
    codec = codec_of("onset")
    player = Noise(codec.spec, sounds=1e-9)
    (made,) = make(codec, player, Request(notes=40, longest_silence=100.0))
    assert "before those asked for" in made.remarks[-1]
    assert made.notes < 40


def test_the_same_seed_gives_the_same_music_and_more_pieces_do_not_change_it() -> None:
    codec = codec_of("onset")
    player = Noise(codec.spec)
    few, many = (make(codec, player, Request(bars=2), n=n, seed=3) for n in (2, 40))
    assert [made.index for made in many] == list(range(40))
    for one, other in zip(few, many, strict=False):
        np.testing.assert_array_equal(one.encoded, other.encoded)
    assert not np.array_equal(many[0].encoded, many[1].encoded)
    assert not np.array_equal(make(codec, player, Request(bars=2), seed=4)[0].encoded, few[0].encoded)


@pytest.mark.parametrize("planes", PLANES)
def test_frames_go_on_where_the_prompt_ends_and_the_prompt_is_kept(planes: str) -> None:
    codec = codec_of(planes)
    prompt = make(codec, Noise(codec.spec, sounds=0.3), Request(seconds=2.6), seed=9)[0]
    (made,) = make(codec, Noise(codec.spec, sounds=0.3), Request(bars=2), prompt=prompt.encoded)
    onsets = note_array(made.score)["onset"]
    assert len(prompt.encoded) == 20
    assert onsets[onsets >= 20].min() <= 22
    assert len(made.encoded) == 32
    assert not made.remarks
    assert set(map(tuple, note_array(prompt.score)[["onset", "pitch"]].tolist())) <= set(
        map(tuple, note_array(made.score)[["onset", "pitch"]].tolist())
    )


def test_phrases_go_on_where_phrases_begin_and_the_silence_is_said() -> None:
    codec = codec_of("onset")
    prompt = make(codec, Noise(codec.spec, sounds=0.3), Request(seconds=2.6), seed=9)[0]
    phrased = Noise(codec.spec, sounds=0.3, steps=32, align=16)
    (made,) = make(codec, phrased, Request(bars=2), prompt=prompt.encoded)
    onsets = note_array(made.score)["onset"]
    assert onsets[onsets >= 20].min() >= 32
    assert made.remarks == (
        "This model goes on in phrases that begin at every 4 beats, so 3 beats of silence come after the prompt.",
    )


@pytest.mark.parametrize(("metre", "steps"), [((3, 4), 12), ((6, 8), 12), ((5, 4), 20), ((4, 4), 16)])
def test_a_prompt_of_bars_ends_with_a_bar_of_its_own_metre(metre: tuple[int, int], steps: int) -> None:
    codec = codec_of("onset")
    score = Score(480)
    score.time_signatures.append(TimeSignature(0, *metre))
    track = Track("", 0)
    track.notes.extend(NoteTickList([Note(0, 480, 60, 64), Note(480 * steps // 4, 240, 62, 64)]))
    score.tracks.append(track)
    assert len(GridPrompt.of(codec, score).frames) == 2 * steps


def test_what_cannot_be_is_refused() -> None:
    codec = codec_of("onset")
    prompt = make(codec, Noise(codec.spec), Request(bars=1))[0].encoded
    with pytest.raises(ImpossibleRequest, match="no prompt"):
        make(codec, Noise(codec.spec, hears=False), Request(bars=1), prompt=prompt)
    with pytest.raises(ImpossibleRequest, match="shorter than a step"):
        make(codec, Noise(codec.spec), Request(seconds=0.01))
    with pytest.raises(ImpossibleRequest, match="no note"):
        make(codec, Noise(codec.spec), Request(bars=1), prompt=np.zeros((16, 2, 12), np.float32))
    with pytest.raises(ImpossibleRequest, match="not of the grid"):
        make(codec, Noise(codec.spec), Request(bars=1), prompt=np.zeros((16, 2, 13), np.float32))
    with pytest.raises(InvalidBundle, match="do not belong together"):
        make(codec, Noise(RollSpec(2, 60, 13, 4)), Request(bars=1))


def test_silent_pieces_are_tried_again_and_at_last_said() -> None:
    codec = codec_of("onset")
    (made,) = make(codec, Noise(codec.spec, sounds=1e-12), Request(bars=1))
    assert made.remarks == ("It has no notes, though it was tried 4 times.",)


@pytest.mark.parametrize("sounds", [0.05, 0.003])  # of the second, most pieces are silent at first
def test_progress_is_told_never_falls_and_never_goes_beyond_the_whole(
    sounds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grids, "TELL_EVERY", 0.0)
    codec = codec_of("onset")
    events: list[Progress] = []
    generation = GridGeneration(
        codec, Noise(codec.spec, sounds), Request(bars=2), Sampling(), GridPrompt.of(codec, None), 3, 0, events.append
    )
    assert len(list(generation.run())) == 3
    done = [event.done for event in events]
    assert events[-1].total == done[-1] == 96
    assert done == sorted(done)
    assert len(set(done)) > 10


@pytest.mark.parametrize("planes", PLANES)
def test_no_note_sticks(planes: str) -> None:
    codec = codec_of(planes)
    player = Noise(codec.spec, sounds=0.999, strikes=1e-6)
    (made,) = make(codec, player, Request(bars=16, longest_note=2.0))
    assert note_array(made.score)["duration"].max() <= 2 * codec.spec.steps_per_beat
    assert any("stuck note guard acted" in remark for remark in made.remarks)


def test_no_silence_lasts() -> None:
    codec = codec_of("onset")
    (made,) = make(codec, Noise(codec.spec, sounds=1e-6), Request(bars=16, longest_silence=3.0))
    onsets = np.unique(note_array(made.score)["onset"])
    assert np.diff(onsets).max() <= 3 * codec.spec.steps_per_beat + 1
    assert any("silence guard acted" in remark for remark in made.remarks)


@given(st.integers(0, 10), st.sampled_from([1, 2]))
def test_a_guard_leaves_alone_what_needs_no_mending(seed: int, channels: int) -> None:
    spec = RollSpec(channels, 60, 12, 4)
    guard = FrameGuard(spec, Request())
    onset, sustain = planes(channels)
    sounding = np.zeros(12, np.float32)
    for cells, p in zip(*_frames(spec, seed), strict=True):
        right = cells.copy()
        if onset is not None:
            right[onset] = np.maximum(right[onset], right[sustain] * (1 - sounding))
        guard.take(cells, p)
        np.testing.assert_array_equal(cells, right, "but what begins to sound is struck")
        sounding = right[sustain]
    assert not guard.acted


def _frames(spec: RollSpec, seed: int) -> tuple[Grid, Grid]:
    cells, p = next(Noise(spec, 0.3, 0.5, steps=30).play([np.random.default_rng(seed)], np.zeros((0,)), Sampling()))
    return cells[0], p[0]


@given(st.integers(0, 100), st.floats(0.1, 3))
def test_cells_come_as_often_as_their_probability_says(seed: int, temperature: float) -> None:
    logits = np.array([[[0.7], [-0.4]]], np.float32)  # struck if it sounds, sounds
    rng = np.random.default_rng(seed)
    many = np.repeat(logits, 4000, axis=0)
    cells, p = draw_cells(many, rng.random(many.shape, np.float32), temperature)
    expected = 1 / (1 + np.exp(np.array([-0.7, 0.4]) / temperature))
    np.testing.assert_allclose(p[0, :, 0], [expected[0] * expected[1], expected[1]], rtol=1e-5)
    np.testing.assert_allclose(cells.mean(axis=0)[:, 0], p[0, :, 0], atol=0.05)


def test_at_temperature_0_the_likelier_is_taken() -> None:
    logits = np.array([[[0.2, 3.0, -1.0], [0.1, -0.1, 2.0]]], np.float32)
    cells, _ = draw_cells(logits, np.random.default_rng(0).random((1, 2, 3), np.float32), 0.0)
    assert cells[0].tolist() == [[1, 0, 0], [1, 0, 1]]
