"""Sound: every format sounds, lasts as long as the music, is as loud as it should be and is the same each time."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings

from partimento.channels import CHANNELS
from partimento.errors import PartimentoError
from partimento.render import SOUNDS, audio, render
from partimento.render.audio import PEAK, TAIL, measure, require_soundfont
from partimento.render.performance import performance
from partimento.score import Note, Score, Tempo, Track, end_tick, seconds_at

from music import scores


def tune(seconds: float = 2.0, *, velocity: int = 80, program: int = 0) -> Score:
    """Quarter notes at 120 a minute."""
    score = Score(480)
    track = Track("", program, False)
    for i in range(round(seconds * 2)):
        track.notes.append(Note(480 * i, 480, 60 + i % 12, velocity))
    score.tracks.append(track)
    return score


@pytest.mark.parametrize("suffix", SOUNDS)
def test_every_format_sounds_for_as_long_as_the_music_and_is_reproducible(tmp_path: Path, suffix: str) -> None:
    one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    assert render(tune(), one) == ()
    render(tune(), two)
    sound = measure(one)
    assert 2.0 <= sound.seconds <= 2.0 + TAIL
    assert sound.rms > 0.03
    assert sound.silent_share < 0.5
    assert sound.peak == pytest.approx(PEAK, abs=0.03)
    assert one.read_bytes() == two.read_bytes()
    assert sorted(tmp_path.iterdir()) == [one, two]
    info = soundfile.info(str(one))
    assert (info.channels, info.samplerate) == (2, 48_000)


def test_quiet_music_is_brought_to_the_same_peak_and_silence_stays_silent(tmp_path: Path) -> None:
    for velocity in (1, 10, 40):
        render(tune(velocity=velocity), tmp_path / "quiet.wav")
        assert measure(tmp_path / "quiet.wav").peak == pytest.approx(PEAK, abs=0.01)
    render(Score(480), tmp_path / "empty.wav")
    empty = measure(tmp_path / "empty.wav")
    assert empty.peak == empty.rms == 0.0
    assert empty.silent_share == 1.0
    assert empty.seconds > 0


def test_a_rest_at_the_beginning_is_kept(tmp_path: Path) -> None:
    score = tune().shift_time(480 * 4)
    render(score, tmp_path / "late.wav")
    samples, rate = soundfile.read(str(tmp_path / "late.wav"))
    assert np.abs(samples[: int(1.95 * rate)]).max() < 0.001
    assert np.abs(samples[int(2.0 * rate) : int(2.3 * rate)]).max() > 0.1


def test_loud_music_is_played_again_more_softly_instead_of_being_clipped(tmp_path: Path) -> None:
    score = Score(480)
    for program in (56, 57, 58, 60, 61, 62, 63, 81):
        track = Track("", program, False)
        for pitch in range(36, 84, 4):
            track.notes.append(Note(0, 1920, pitch, 127))
        score.tracks.append(track)
    font = require_soundfont()
    loud = np.frombuffer(audio._builtin(performance(score, 2.0, TAIL, 1.0), font), "<i2", offset=44)
    assert (np.abs(loud.astype(int)) >= 32767).any()
    render(score, tmp_path / "loud.wav")
    samples, _ = soundfile.read(str(tmp_path / "loud.wav"), dtype="int16")
    peak = np.abs(samples.astype(int)).max()
    assert (np.abs(samples.astype(int)) == peak).sum() < 5
    assert peak == pytest.approx(PEAK * 32768, abs=40)


def test_endless_music_is_cut_before_it_is_rendered_and_fades(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "LONGEST", 5.0)
    score = tune(4.0)
    score.tempos.append(Tempo(0, 4.0))
    (remark,) = render(score, tmp_path / "long.wav")
    assert "cut" in remark
    samples, rate = soundfile.read(str(tmp_path / "long.wav"))
    assert len(samples) == 5 * rate
    assert np.abs(samples[-rate // 10 :]).max() < 0.05


def test_sixteen_instruments_and_more_all_sound() -> None:
    score = Score(480)
    for program in range(40):
        track = Track("", program, False)
        track.notes.append(Note(480 * program, 480, 60, 90))
        score.tracks.append(track)
    drums = Track("", 0, True)
    drums.notes.append(Note(0, 100, 38, 90))
    score.tracks.append(drums)
    played = _messages(performance(score, 30.0, 0.0, 1.0))
    ons = [(m[0] & 15, m[1]) for _, m in played if m[0] & 0xF0 == 0x90]
    assert len(ons) == 41
    assert {channel for channel, _ in ons} == {*CHANNELS, 9}
    program_now: dict[int, int] = {}
    sounded = []
    for _, message in played:
        if message[0] & 0xF0 == 0xC0:
            program_now[message[0] & 15] = message[1]
        if message[0] & 0xF0 == 0x90 and message[0] & 15 != 9:
            sounded.append(program_now[message[0] & 15])
    assert sounded == list(range(40))


@pytest.mark.parametrize("key", [22, 26, 42, 46])
def test_the_edge_of_an_electronic_hi_hat_sounds(tmp_path: Path, key: int) -> None:
    score = Score(480)
    drums = Track("", 0, True)
    drums.notes.append(Note(0, 100, key, 90))
    score.tracks.append(drums)
    render(score, tmp_path / "hat.wav")
    assert measure(tmp_path / "hat.wav").rms > 0.005


def test_a_note_struck_again_while_it_sounds_is_not_ended_by_the_first() -> None:
    score = Score(480)
    track = Track("", 0, False)
    track.notes.extend([Note(0, 960, 60, 90), Note(480, 960, 60, 90), Note(480, 100, 60, 90), Note(2000, 0, 60, 90)])
    score.tracks.append(track)
    events = [
        (at, m[0] & 0xF0) for at, m in _messages(performance(score, 9.0, 0.0, 1.0)) if m[0] & 0xF0 in (0x80, 0x90)
    ]
    assert [kind for _, kind in events] == [0x90, 0x80] * 3
    assert [at for at, _ in events][:4] == [0, 5000, 5000, 15000]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(score=scores(), cut=st.floats(0.1, 20.0))
def test_any_score_is_played_with_every_note_ended(score: Score, cut: float) -> None:
    sounding: set[tuple[int, int]] = set()
    for at, message in _messages(performance(score, cut, 1.0, 0.5)):
        key = (message[0] & 15, message[1])
        if message[0] & 0xF0 == 0x90:
            assert key not in sounding
            assert at <= cut * 10_000 + 1
            sounding.add(key)
        elif message[0] & 0xF0 == 0x80:
            sounding.remove(key)
    assert not sounding


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(score=scores())
def test_any_score_sounds_for_its_length(score: Score, tmp_path: Path) -> None:
    render(score, tmp_path / "any.flac")
    sound = measure(tmp_path / "any.flac")
    seconds = float(seconds_at(score, np.array([end_tick(score)]))[0])
    assert min(seconds, audio.LONGEST) - 0.01 <= sound.seconds <= seconds + TAIL + 0.2


def test_a_soundfont_that_is_none_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(PartimentoError, match="cannot be read"):
        require_soundfont(tmp_path / "missing.sf2")
    (tmp_path / "text.sf2").write_text("no font")
    with pytest.raises(PartimentoError, match="is no SoundFont"):
        render(tune(), tmp_path / "x.wav", soundfont=tmp_path / "text.sf2")
    whole = require_soundfont().read_bytes()
    (tmp_path / "half.sf2").write_bytes(whole[:100_000])
    with pytest.raises(PartimentoError, match="cannot be played with"):
        render(tune(), tmp_path / "x.wav", soundfont=tmp_path / "half.sf2")
    assert not (tmp_path / "x.wav").exists()
    assert {p.name for p in tmp_path.iterdir()} == {"text.sf2", "half.sf2"}


def test_without_an_installed_soundfont_one_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PartimentoError, match=r"pip install pretty-midi .*--soundfont"):
        require_soundfont()


def test_a_panic_of_the_synthesiser_is_a_sentence_and_an_interrupt_stays_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import midirenderer

    class PanicException(BaseException):
        pass

    for raised, expected in (
        (PanicException("index out of bounds"), PartimentoError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ):

        def fail(*_: object, error: BaseException = raised) -> bytes:
            raise error

        monkeypatch.setattr(midirenderer, "render_wave_from", fail)
        with pytest.raises(expected):
            render(tune(), tmp_path / "x.wav")
    assert list(tmp_path.iterdir()) == []


def test_a_tempo_that_nobody_can_play_is_refused(tmp_path: Path) -> None:
    score = tune()
    score.tempos.append(Tempo(0, -60.0))
    with pytest.raises(PartimentoError, match="quarter notes a minute"):
        render(score, tmp_path / "x.wav")


def test_fluidsynth_plays_where_it_is_installed_and_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("fluidsynth"):
        render(tune(), tmp_path / "x.wav", synthesiser="fluidsynth")
        sound = measure(tmp_path / "x.wav")
        assert sound.rms > 0.03
        assert 2.0 <= sound.seconds <= 2.0 + TAIL
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(PartimentoError, match="FluidSynth is not installed"):
        render(tune(), tmp_path / "y.wav", synthesiser="fluidsynth")


def test_what_is_no_sound_is_not_measured(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_text("no sound")
    with pytest.raises(PartimentoError, match="cannot be read as sound"):
        measure(tmp_path / "x.wav")


def _messages(midi: bytes) -> list[tuple[int, bytes]]:
    """The channel messages of what `performance` writes, each with its tick; an independent, small reader."""
    assert struct.unpack(">IHHH", midi[4:14]) == (6, 0, 1, 10_000)
    messages, at, now = [], 22, 0
    while at < len(midi):
        delta = 0
        while True:
            delta = delta << 7 | midi[at] & 127
            at += 1
            if not midi[at - 1] & 128:
                break
        now += delta
        length = 3 + midi[at + 2] if midi[at] == 0xFF else 2 if midi[at] & 0xF0 == 0xC0 else 3
        if midi[at] != 0xFF:
            messages.append((now, midi[at : at + length]))
        at += length
    return messages
