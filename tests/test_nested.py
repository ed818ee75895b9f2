"""Nested Transformers over groups of several ids; the laws of all models, there of one id a group, are elsewhere."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from attending import likelihoods, lively, narrowed, played
from partimento.codec import TokenSpec
from partimento.codecs.cells import Cells
from partimento.codecs.cells.fields import FIELDS, vocabulary
from partimento.errors import InvalidBundle, InvalidSettings
from partimento.models import nested
from partimento.models.nested import Nested, tallies_of
from partimento.pieces import Pieces
from partimento.players.nested import open_player
from partimento.recipes import recipe_named
from partimento.tallies import ALIKE, WHEN, Tally
from partimento.timing import Timing
from partimento.weighing import Weighing
from partimento.windows import Windows

TIMING = Timing(roles=(1, 2, 3, 4, *[0] * 8), amounts=(7, 1, 2, 0, 4, 5, 6, 3, 1, 0, 0, 0), steps=2, mark=2)
HEADINGS = (1, 2, 0, 3, *[0] * 8)
KINDS = (0, 1, 0, 1, -1, -1, 2, 2, *[-1] * 4)
VOICES = (-1, 1, 0, 0, 0, 2, 3, *[0] * 5)
SPEC = TokenSpec(12, pad=9, bos=10, eos=11, group=3, timing=TIMING, headings=HEADINGS, kinds=KINDS, voices=VOICES)
WAYS: list[dict[str, Any]] = [
    {"positions": "time"},
    {"tallies": (3.0, 40.0)},
    {"tallies": (3.0, 40.0), "place_span": 30.0},
    {"tallies": (3.0,), "returns": (3, 1)},
    {"headings": False},
    {"periods": (4, 6), "ages": 5},
    {"positions": "distance", "ages": 1},
]


def music(rows: int, groups: int) -> NDArray[np.int64]:
    """Groups in which ids often stay."""
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 9, (rows, groups, SPEC.group))
    for group in range(1, groups):
        ids[:, group] = np.where(rng.random((rows, SPEC.group)) < 0.6, ids[:, group - 1], ids[:, group])
    return np.concatenate([np.full((rows, 1), SPEC.bos), ids.reshape(rows, -1)], 1)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_piece_longer_than_all_buffers_plays_as_torch_computes_it(way: dict[str, Any], tmp_path: Path) -> None:
    model = lively(Nested, SPEC, inner=16, context=20, **way)
    x = music(2, 400)
    model.export(tmp_path)
    np.testing.assert_allclose(played(open_player(tmp_path), x), likelihoods(model, x), atol=3e-4)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_the_middle_of_a_piece_plays_as_torch_computes_it(way: dict[str, Any], tmp_path: Path) -> None:
    model = lively(Nested, SPEC, inner=16, **way)
    x = music(2, 30)[:, 12:]
    model.export(tmp_path)
    np.testing.assert_allclose(played(open_player(tmp_path), x), likelihoods(model, x, begin=36), atol=3e-4)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_keys_carried_on_change_nothing(way: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = lively(Nested, SPEC, inner=16, context=30, **way), music(2, 100)
    whole = likelihoods(model, x)
    monkeypatch.setattr(nested, "SEGMENT", 17)
    np.testing.assert_allclose(likelihoods(model, x), whole, atol=1e-4)


def test_each_id_of_a_group_is_told_of_those_before_it_and_of_no_other() -> None:
    model, x = lively(Nested, SPEC, inner=16, tallies=(5.0,), place_span=9.0, returns=(1,)), music(1, 8)
    for at in range(1, x.shape[1]):
        changed = x.copy()
        changed[:, at] = (x[:, at] + 1) % 9
        before, after = likelihoods(model, x)[0], likelihoods(model, changed)[0]
        np.testing.assert_allclose(before[: at - 1], after[: at - 1], atol=1e-5)
        if at < x.shape[1] - 1:
            assert abs(before[at] - after[at]) > 1e-4


def test_the_probabilities_of_all_short_pieces_sum_to_one() -> None:
    spec = TokenSpec(vocab_size=5, pad=2, bos=3, eos=4, group=2)
    model = lively(Nested, spec, inner=16, tallies=(2.0,), place_span=5.0, returns=(2, 1))
    rows = np.array([[spec.bos, *ids] for ids in itertools.product(range(5), repeat=5)])
    assert float(np.exp(likelihoods(model, rows).astype(np.float64).sum(1)).sum()) == pytest.approx(1, abs=1e-5)


def test_what_cannot_stand_at_a_place_has_no_probability_and_what_can_has_all(tmp_path: Path) -> None:
    spec = TokenSpec(6, pad=3, bos=4, eos=5, group=2, places=(((0, 2), (5, 6)), ((1, 3),)))
    model = lively(Nested, spec, inner=16, tallies=(2.0,), place_span=5.0, returns=(2, 1))
    rows = np.array([[spec.bos, *ids] for ids in itertools.product(range(6), repeat=4)])
    found = likelihoods(model, rows).astype(np.float64)
    fits = np.stack([np.isin(rows[:, at], (0, 1, 5) if at % 2 else (1, 2)) for at in range(1, 5)], 1)
    assert (np.isfinite(found) == fits).all()
    assert float(np.exp(found.sum(1)).sum()) == pytest.approx(1, abs=1e-5)
    model.export(tmp_path)
    sound = rows[fits.all(1)]
    np.testing.assert_allclose(played(open_player(tmp_path), sound), likelihoods(model, sound), atol=3e-4)


def test_where_places_are_known_there_is_less_to_learn() -> None:
    spec = TokenSpec(1000, pad=997, bos=998, eos=999, group=2, places=(((0, 10), (999, 1000)), ((10, 30),)))
    everywhere = TokenSpec(1000, pad=997, bos=998, eos=999, group=2)
    sizes = [sum(a.size for a in lively(Nested, one, inner=16).arrays().values()) for one in (spec, everywhere)]
    assert sizes[0] < sizes[1] / 2


@pytest.mark.parametrize(
    "way", [{"periods": (4,)}, {"positions": "time"}, {"tallies": (3.0,), "place_span": 9, "returns": (2, 1)}], ids=str
)
def test_pieces_that_stay_play_on_as_they_would_have(way: dict[str, Any], tmp_path: Path) -> None:
    model = lively(Nested, SPEC, inner=16, **way)
    model.export(tmp_path)
    beside, alone = narrowed(open_player(tmp_path), music(3, 10), 11, np.array([0, 2]))
    np.testing.assert_allclose(alone, beside, atol=1e-5)


@pytest.mark.parametrize(
    "way", [{"periods": (4,)}, {"positions": "time"}, {"tallies": (3.0,), "place_span": 9, "returns": (2, 1)}], ids=str
)
def test_what_is_heard_is_as_what_is_stepped_through(way: dict[str, Any], tmp_path: Path) -> None:
    model = lively(Nested, SPEC, inner=16, **way)
    model.export(tmp_path)
    player = open_player(tmp_path)
    x = music(2, 12)
    stepped = player.start(2)
    for at in range(20):
        logits, stepped = player.step(x[:, at], stepped)
    heard = player.hear(x[:, :19], player.start(2))
    np.testing.assert_array_equal(player.step(x[:, 19], heard)[0], logits)


def test_positions_by_time_need_a_codec_that_tells_it() -> None:
    with pytest.raises(InvalidSettings, match="positions=rotary"):
        lively(Nested, dataclasses.replace(SPEC, timing=None), positions="time")


def test_two_pieces_that_differ_in_time_alone_differ() -> None:
    """A bar of another length, told long before: what is looked at is nearer or farther in time."""
    model, x = lively(Nested, SPEC, inner=16, positions="time"), music(1, 8)
    other = dataclasses.replace(TIMING, amounts=(1, *TIMING.amounts[1:]))
    slow = lively(Nested, dataclasses.replace(SPEC, timing=other), inner=16, positions="time")
    x[0, 1:7] = (0, 0, 0, 1, 1, 1)
    x[0, 7:10] = (0, 0, 0)
    assert np.abs(likelihoods(model, x) - likelihoods(slow, x)).max() > 1e-3


def test_what_was_told_lately_is_likelier_where_its_tally_counts() -> None:
    model = Nested(Nested.Settings(layers=1, width=16, heads=2, inner=8, tallies=(10.0,)), SPEC).eval()
    x = np.array([[SPEC.bos, *[0, 4, 6] * 6, 2, 4, 6]])
    even = likelihoods(model, x)[0, -3:]
    assert model.weighing is not None
    with torch.no_grad():
        model.weighing.weigh.bias[:] = torch.tensor([1.0, 0.0])  # ids alone
        own = likelihoods(model, x)[0, -3:]
        model.weighing.weigh.bias[:] = torch.tensor([0.0, 1.0])  # kinds alone: 2 is of the kind of 0
        kinds = likelihoods(model, x)[0, -3:]
    assert own[0] < even[0] < kinds[0]
    assert own[1] > even[1] > kinds[1]  # 4 was told, and is of no kind
    assert min(own[2], kinds[2]) > even[2]


def test_of_an_id_that_is_alone_of_its_kind_no_kind_is_counted() -> None:
    settings = Nested.Settings(tallies=(4.0,))
    alone = dataclasses.replace(SPEC, kinds=(0, 0, 1, -1, *[-1] * 8))
    assert tallies_of(settings, alone).kinds == (0, 0, *[-1] * 10)


def test_what_returns_is_likelier_and_what_was_told_lately_may_count_for_less_then() -> None:
    """A passage of 20 groups, twice: in the second all is foretold, after i groups because i groups were alike."""
    passage = np.random.default_rng(0).integers(0, 9, (20, 3))
    x = np.concatenate([[SPEC.bos], passage.ravel(), passage.ravel()])[None]
    spec = dataclasses.replace(SPEC, voices=())
    model = Nested(Nested.Settings(layers=1, width=16, heads=2, inner=8, tallies=(10.0,), returns=(2,)), spec).eval()
    lately, alike, *_ = torch.eye(2 * cast(Weighing, model.weighing).tallies.rows)

    def found(weigh: torch.Tensor, surely: torch.Tensor) -> NDArray[np.float32]:
        weighing = cast(Any, model.weighing)
        with torch.no_grad():
            weighing.weigh.bias[:], weighing.surely.bias[:] = weigh, surely
            return likelihoods(model, x)[0].reshape(2, 20, 3)

    none = 0 * lately
    even, told, again = found(none, none), found(lately, none), found(alike, none)
    np.testing.assert_allclose(again[0], even[0], atol=1e-6)
    assert (again[1, 2:] > even[1, 2:]).all()
    less = found(lately, -lately / np.log(1 + 10))
    np.testing.assert_allclose(less[0], told[0], atol=1e-6)
    np.testing.assert_allclose(less[1, :, :WHEN], told[1, :, :WHEN], atol=1e-6)
    np.testing.assert_allclose(less[1, 10, WHEN:], even[1, 10, WHEN:], atol=1e-5)
    assert np.abs(told[1, 10, WHEN:] - even[1, 10, WHEN:]).min() > 1e-3


def test_more_tallies_than_there_may_be_are_refused_with_a_sentence() -> None:
    with pytest.raises(InvalidSettings, match="tallies"):
        recipe_named("nested").override(["model.tallies=[1,2,3,4,5,6,7,8,9]"])


def test_how_ids_are_judged_does_not_depend_on_how_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = lively(Nested, SPEC, inner=16, tallies=(3.0,), place_span=9.0, returns=(2,)), music(2, 40)
    whole = likelihoods(model, x)
    monkeypatch.setattr("partimento.layers.ROOM", 30)
    np.testing.assert_allclose(likelihoods(model, x), whole, atol=1e-5)


def test_windows_never_cut_a_group(tmp_path: Path) -> None:
    arrays = [music(1, groups)[0, 1:] for groups in (5, 40, 31)]
    pieces = Pieces.write(tmp_path / "pieces", ((ids, len(ids)) for ids in arrays), SPEC)
    windows = Windows(pieces, 10, 2, seed=3)
    assert windows.length == 9
    drawn = [windows.at(update) for update in range(3 * windows.updates_per_epoch)]
    covers = [list(windows.cover(context)) for context in (None, 10)]
    assert not any((d.begin % 3).any() for d in [*drawn, *covers[0], *covers[1]])
    assert [sum(int(d.mask.sum()) for d in cover) for cover in covers] == [pieces.positions] * 2


@pytest.mark.parametrize(
    "change",
    [
        {"group": 0},
        {"bos": 12},
        {"ages": "many"},
        {"player": "attention"},
        {"attention": {}},
        {"timing": None},
        {"timing": {"roles": [0], "amounts": [0], "steps": 1, "mark": 0}},
        {"timing": "always"},
        {"headings": [1]},
        {"headings": [99] * 12},
        {"tallies": None},
        {"tallies": {"ids": 12, "spans": [], "kinds": []}},
        {"tallies": {"ids": 3, "spans": [4.0], "kinds": []}},
        {"tallies": {"ids": 12, "spans": [4.0], "kinds": [99] * 12}},
        {"tallies": 3},
    ],
    ids=str,
)
def test_a_changed_description_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    lively(Nested, SPEC, inner=16, positions="time", tallies=(4.0,)).export(tmp_path)
    described = json.loads((tmp_path / "player.json").read_text())
    (tmp_path / "player.json").write_text(json.dumps(described | change))
    with pytest.raises(InvalidBundle):
        open_player(tmp_path)


def test_what_returns_says_nothing_of_an_event_that_comes_in_its_place() -> None:
    """A bar had followed, and has no field for a pitch; a note comes, whose pitch nothing foretells then."""
    settings = recipe_named("nested").settings
    codec = Cells(settings["codec"])
    ids = vocabulary()
    rows = {name: np.full(FIELDS, ids.first("none")) for name in ("bar", "note")}
    rows["bar"][:2] = ids.first("bar"), ids.first("metre")
    rows["note"][:] = [ids.first(name) for name in ("note", "step", "pitch", "quarters", "steps", "velocity")]
    tallies = tallies_of(settings["model"], codec.spec)
    tally = Tally(tallies, 1)
    notes = [rows["note"] + np.array([0, 0, pitch, 0, 0, 0]) for pitch in range(12)]
    for group in [*notes, rows["bar"], *[rows["note"] + np.array([0, 0, 20, 0, 0, 0])] * 16, *notes]:
        following = tally.hear(group[None])
    assert following[0, ALIKE, ids.first("bar")] > 0
    pitches = np.append(np.arange(ids["pitch"].start, ids["pitch"].stop), ids.first("none"))
    assert not tally.placed(notes[0][None, :WHEN])[0, ALIKE, pitches].any()
    assert tally.placed(rows["bar"][None, :WHEN])[0, ALIKE, ids.first("none")] > 0
