"""Keys and scales by name, and that what is drawn keeps to one whatever the model would have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partimento.codec import Request, codec_named
from partimento.errors import ImpossibleRequest
from partimento.filling import Asked
from partimento.generation import generate
from partimento.harmony import chords_named
from partimento.keys import SCALES, scale_named, signature_named
from partimento.score import note_array

from little import Crotchets, write_little_bundle
from music import tune


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("C", [0, 2, 4, 5, 7, 9, 11]),
        ("Bb major", [0, 2, 3, 5, 7, 9, 10]),
        ("a minor", [0, 2, 4, 5, 7, 8, 9, 11]),
        ("F#m", [1, 2, 4, 5, 6, 8, 9, 11]),
        ("D Dorian", [0, 2, 4, 5, 7, 9, 11]),
        ("E♭ blues", [1, 3, 6, 8, 9, 10]),
    ],
)
def test_a_name_says_which_pitch_classes(name: str, classes: list[int]) -> None:
    assert np.flatnonzero(scale_named(name)).tolist() == classes


@pytest.mark.parametrize(
    ("name", "same"),
    [("B flat", "Bb"), ("b-flat minor", "Bb minor"), ("F Sharp minor", "F#m"), ("E FLAT dorian", "Eb dorian")],
)
def test_signs_may_be_said_in_words(name: str, same: str) -> None:
    assert (scale_named(name) == scale_named(same)).all()


@pytest.mark.parametrize("name", ["", "H", "C sharply", "H flat", "Cm minor", "G nonsense", "12"])
def test_what_is_no_key_is_refused(name: str) -> None:
    with pytest.raises(ImpossibleRequest, match="is no key"):
        scale_named(name)


@pytest.fixture(scope="module", params=["tokens", "cells"])
def codec(request: pytest.FixtureRequest) -> Any:
    kind = codec_named(request.param)
    codec = kind(kind.Settings())
    codec.learn([tune(seed, bars=8) for seed in range(3)])
    return codec


KEYS = st.builds(
    lambda tonic, scale: f"{tonic} {scale}",
    st.sampled_from(["C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"]),
    st.sampled_from([*SCALES]),
)


@settings(max_examples=30, deadline=None)
@given(key=KEYS, seed=st.integers(0, 1 << 30), prompted=st.booleans())
def test_no_new_pitch_is_outside_of_the_key(codec: Any, key: str, seed: int, prompted: bool) -> None:
    rng = np.random.default_rng(seed)
    grammar = codec.grammar()
    try:
        grammar.start(Request(notes=30, key=key))
    except ImpossibleRequest:
        known = note_array(tune(0, bars=8))["pitch"] % 12
        assert not scale_named(key)[known].any()
        return
    prompt = codec.encode(tune(1, bars=2)) if prompted else np.empty(0, dtype=np.int64)
    for id in prompt.tolist():
        grammar.advance(id)
    grammar.begin()
    ids: list[int] = []
    while len(ids) < 3000:
        ids.append(int(rng.choice(np.flatnonzero(grammar.mask()))))
        if ids[-1] == codec.spec.eos:
            break
        grammar.advance(ids[-1])
    before = len(note_array(codec.decode(prompt))) if prompted else 0
    notes = note_array(codec.decode(np.array([*prompt.tolist(), *ids[:-1]], dtype=np.int64)))
    assert len(notes) > before
    old = (
        {tuple(n) for n in note_array(codec.decode(prompt))[["onset", "pitch", "program"]].tolist()}
        if prompted
        else set()
    )
    new = [n for n in notes if tuple(n[["onset", "pitch", "program"]].tolist()) not in old and n["program"] >= 0]
    assert scale_named(key)[[int(n["pitch"]) % 12 for n in new]].all()


def test_a_codec_that_cannot_keep_to_a_key_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partimento.bundle.codec_named", lambda _: Crotchets)
    with pytest.raises(ImpossibleRequest, match="cannot keep to a key"):
        list(generate(write_little_bundle(tmp_path / "b"), request=Request(notes=4, key="C")))


def test_a_chord_that_the_key_and_the_range_leave_no_tone_of_is_refused() -> None:
    Asked(key="C", chords=chords_named("Dm"))
    with pytest.raises(ImpossibleRequest, match="No tone of"):
        Asked(key="C pentatonic", chords=chords_named("Bb"), lowest=63, highest=64)


@pytest.mark.parametrize("tonic", ["C", "G", "D", "A", "E", "B", "F#", "C#", "F", "Bb", "Eb", "Ab", "Db", "Gb", "Cb"])
def test_a_signature_has_the_notes_of_its_key(tonic: str) -> None:
    """Fifths up from F are what sharps are put to, in their order."""
    for scale in ("major", "natural minor", "dorian", "phrygian", "lydian", "mixolydian", "locrian"):
        found = signature_named(f"{tonic} {scale}")
        if found is None:
            continue
        fifths, minor = found
        assert {7 * (step + fifths) % 12 for step in range(-1, 6)} == set(
            np.flatnonzero(scale_named(f"{tonic} {scale}"))
        )
        assert minor == (scale == "natural minor")
    assert signature_named(f"{tonic} major") is not None
    assert signature_named(f"{tonic} whole tone") is None


def test_more_than_seven_signs_are_no_signature() -> None:
    assert signature_named("G# major") is None
    assert signature_named("Cb phrygian") is None
