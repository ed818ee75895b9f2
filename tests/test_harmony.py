"""Chords: their names, and which of them sounds."""

from __future__ import annotations

import numpy as np
import pytest

from partimento.errors import ImpossibleRequest
from partimento.harmony import CHORDS, chord_name, chord_number, chords_named, classes, recognised


@pytest.mark.parametrize(
    ("name", "pitch_classes"),
    [
        ("C", {0, 4, 7}),
        ("F#m", {6, 9, 1}),
        ("Gbm", {6, 9, 1}),
        ("Bb7", {10, 2, 5, 8}),
        ("Ebmaj7", {3, 7, 10, 2}),
        ("a-7", {9, 0, 4, 7}),
        ("B°", {11, 2, 5}),
        ("Dsus", {2, 7, 9}),
        ("C:min7b5", {0, 3, 6, 10}),
        ("E##", {6, 10, 1}),
    ],
)
def test_chords_are_known_by_their_names(name: str, pitch_classes: set[int]) -> None:
    assert set(np.flatnonzero(classes(chord_number(name))).tolist()) == pitch_classes


def test_every_chord_sounds_like_itself_and_has_a_name_that_is_understood() -> None:
    for chord in range(CHORDS):
        told = chord_number(chord_name(chord))
        np.testing.assert_array_equal(classes(told), classes(chord))
        assert recognised([classes(chord)]) == [told]
        assert recognised([3.0 * classes(chord) + 0.2]) == [told]


def test_what_is_no_chord_is_none() -> None:
    silence, second, all_alike = np.zeros(12), np.eye(12)[0] + np.eye(12)[2], np.ones(12)
    assert recognised([silence, second, all_alike]).tolist() == [-1, -1, -1]


def test_a_progression_may_be_written_in_several_ways() -> None:
    assert chords_named("| C  G | Am, F |") == chords_named("C G Am F")


@pytest.mark.parametrize("text", ["H", "C13", "", "  ", "| |", "C G X"])
def test_what_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(ImpossibleRequest):
        chords_named(text)
