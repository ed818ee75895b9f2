"""Audio: a score as sound, by a SoundFont (SF2) and a synthesiser.

The built-in synthesiser is midirenderer (rustysynth), which needs nothing but its wheel; FluidSynth's program serves
where it is installed and asked for. The SoundFont is one that an installed package carries (Tim Brechbill's TimGM6mb in
pretty_midi, GPL-2) or one that is named. Sound is stereo, 16 bits, 48 kHz (midirenderer's one rate), its peak at
`PEAK`; silence is not made loud. The same score gives the same bytes. Leaves out: SF3 and mixing by hand.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from partimento.errors import PartimentoError
from partimento.render.ogg import make_reproducible
from partimento.render.performance import performance, play_seconds
from partimento.score import Score, end_tick

__all__ = ["Sound", "measure", "play", "require_soundfont"]

RATE = 48_000
LONGEST = 900.0  # seconds; a minute of sound takes about 35 MB of memory while it is made
TAIL = 4.0  # seconds in which the last notes may die away
FADE, SOFT_END = 3.0, 0.03  # seconds of fading: where music is cut, and where sound ends by itself
PEAK = 10 ** (-1 / 20)  # -1 dBFS
MOST_GAIN = 100.0  # 40 dB: what 16 bits leave of softer music is little but noise
VOLUMES = (1.0, 0.5, 0.2)  # channel volumes to try until nothing is clipped; a channel's gain is their square
BLOCK = 65_536  # frames
SUBTYPES = {".wav": "PCM_16", ".flac": "PCM_16", ".ogg": "VORBIS", ".mp3": "MPEG_LAYER_III"}
QUIET = 0.001  # -60 dBFS

Samples = NDArray[np.int16]  # (frames, 2)


@dataclass(frozen=True)
class Sound:
    """What a sound file holds.

    Attributes:
        seconds: its length.
        peak: the largest sample, 1 is full scale.
        rms: the root of the mean square of all samples.
        silent_share: the share of its 50 ms windows with no sample over -60 dBFS.
    """

    seconds: float
    peak: float
    rms: float
    silent_share: float


def play(
    score: Score,
    path: Path,
    *,
    soundfont: Path | None = None,
    synthesiser: Literal["builtin", "fluidsynth"] = "builtin",
) -> tuple[str, ...]:
    """Write a score as a sound file, by suffix; at most `LONGEST` seconds of it.

    Args:
        score: may be empty, which gives a moment of silence.
        path: ends in .wav, .flac, .ogg or .mp3.
        soundfont: an SF2 file; the installed one if None.
        synthesiser: what plays.

    Returns:
        A sentence if the music was cut.

    Raises:
        PartimentoError: no SoundFont, a broken one, no FluidSynth, or a tempo that nobody can play.
    """
    font = require_soundfont(soundfont)
    ends = play_seconds(score, np.array([end_tick(score)]))
    seconds = min(float(ends[0]), LONGEST)
    samples = _synthesised(score, seconds, font, synthesiser)
    cut = float(ends[0]) > LONGEST
    _write(path, samples, seconds, FADE if cut else SOFT_END)
    if not cut:
        return ()
    whole = float(min(ends[0], 1e9)) / 60
    return (f"The sound is cut after {LONGEST / 60:.0f} minutes; the whole piece would last {whole:,.0f}.",)


def require_soundfont(soundfont: Path | None = None) -> Path:
    """The SoundFont to play with: the named one, or the installed one.

    Raises:
        PartimentoError: there is none, or the file is none.
    """
    if soundfont is None:
        found = importlib.util.find_spec("pretty_midi")
        soundfont = Path((found and found.origin) or "").parent / "TimGM6mb.sf2"
        if not soundfont.is_file():
            raise PartimentoError(
                "There is no SoundFont to play with: pip install pretty-midi brings one, or name an .sf2 file "
                "with --soundfont, or do without sound (--sound none)."
            )
    try:
        with soundfont.open("rb") as file:
            head = file.read(12)
    except OSError as error:
        raise PartimentoError(f"The SoundFont {soundfont} cannot be read: {error.strerror or error}.") from error
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise PartimentoError(f"{soundfont} is no SoundFont (.sf2).")
    return soundfont


def measure(path: Path) -> Sound:
    """Measure a sound file.

    Raises:
        PartimentoError: it cannot be read as sound.
    """
    import soundfile

    peak = squares = 0.0
    frames = windows = silent = 0
    try:
        with soundfile.SoundFile(str(path)) as file:
            window = max(file.samplerate // 20, 1)
            for block in file.blocks(window * 200, dtype="float32", always_2d=True):
                frames += len(block)
                level = np.abs(block).max(axis=1)
                peak = max(peak, float(level.max(initial=0.0)))
                squares += float(np.square(block, dtype=np.float64).mean(axis=1).sum())
                loudest = np.maximum.reduceat(level, np.arange(0, len(level), window))
                windows += len(loudest)
                silent += int((loudest <= QUIET).sum())
            rate = file.samplerate
    except (OSError, soundfile.SoundFileError) as error:
        raise PartimentoError(f"{path} cannot be read as sound ({error}).") from error
    return Sound(frames / rate, peak, float(np.sqrt(squares / max(frames, 1))), silent / max(windows, 1))


def _synthesised(score: Score, seconds: float, font: Path, synthesiser: str) -> Samples:
    """Play a score, more softly if it is too loud for 16 bits."""
    samples: Samples = np.zeros((round(TAIL * RATE), 2), dtype=np.int16)
    if not score.note_num():
        return samples
    for volume in VOLUMES:
        midi = performance(score, seconds, TAIL, volume)
        wave = _fluidsynth(midi, font) if synthesiser == "fluidsynth" else _builtin(midi, font)
        samples = np.frombuffer(wave, dtype="<i2", offset=44)[: (len(wave) - 44) // 4 * 2].reshape(-1, 2)
        if not len(samples) or max(int(samples.max()), -int(samples.min())) < 32767:
            break
    return samples


def _builtin(midi: bytes, font: Path) -> bytes:
    import midirenderer

    try:
        return bytes(midirenderer.render_wave_from(font.read_bytes(), midi))
    except RuntimeError as error:
        raise PartimentoError(
            f"{font} cannot be played with: {str(error).removeprefix('SoundFont error: ')}."
        ) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # how Rust's panics reach Python: not an Exception
            raise
        raise PartimentoError(f"The synthesiser failed on this music with {font} ({error}).") from error


def _fluidsynth(midi: bytes, font: Path) -> bytes:
    program = shutil.which("fluidsynth")
    if program is None:
        raise PartimentoError("FluidSynth is not installed; the built-in synthesiser needs nothing more.")
    with tempfile.TemporaryDirectory() as folder:
        piece, wave = Path(folder) / "piece.mid", Path(folder) / "piece.wav"
        piece.write_bytes(midi)
        options = ["-ni", "-q", "-r", str(RATE), "-O", "s16", "-T", "wav", "-g", "0.6", "-F", str(wave)]
        try:
            done = subprocess.run(  # noqa: S603 - the program that was asked for, with arguments of our own
                [program, *options, str(font.resolve()), str(piece)], capture_output=True, timeout=LONGEST, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise PartimentoError(f"FluidSynth did not end within {LONGEST / 60:.0f} minutes.") from error
        if done.returncode or not wave.is_file() or wave.stat().st_size <= 44:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise PartimentoError(f"FluidSynth failed{': ' + said[-1] if said else ''}.")
        return wave.read_bytes()


def _write(path: Path, samples: Samples, seconds: float, fade: float) -> None:
    """Bring sound to its peak, end it softly and encode it, a block at a time."""
    import soundfile

    loudest = max(int(samples.max(initial=0)), -int(samples.min(initial=0)))
    gain = min(PEAK / loudest, MOST_GAIN / 32768) if loudest else 0.0
    stop = _end_of_sound(samples, round(seconds * RATE), gain)
    if fade == FADE:  # the music is cut: no tail
        stop = min(round(seconds * RATE), len(samples))
    kind = path.suffix.lower()
    with soundfile.SoundFile(str(path), "w", RATE, 2, subtype=SUBTYPES[kind], format=kind[1:].upper()) as file:
        for block in _blocks(samples[:stop], gain, round(fade * RATE)):
            file.write(block)
    if kind == ".ogg":
        make_reproducible(path)


def _end_of_sound(samples: Samples, music: int, gain: float) -> int:
    """The frame at which sound has died away, not before the music ends; dither does not count as sound."""
    tail = np.abs(samples[music : music + round(TAIL * RATE)].astype(np.int32)).max(axis=1, initial=0)
    audible = np.flatnonzero(tail > max(0.0003 / gain, 2)) if gain else np.zeros(0, np.int64)
    return min(music + (int(audible[-1]) if len(audible) else 0) + RATE // 10, len(samples))


def _blocks(samples: Samples, gain: float, fade: int) -> Iterator[NDArray[np.float32]]:
    """Samples as floats (libsndfile makes noise of 16-bit samples that are to become MP3), faded at the end."""
    for start in range(0, len(samples), BLOCK):
        block = samples[start : start + BLOCK] * np.float32(gain)
        left = len(samples) - start - np.arange(len(block))
        if left[-1] <= fade:
            block *= np.minimum(left / max(fade, 1), 1.0).astype(np.float32)[:, None]
        yield block
