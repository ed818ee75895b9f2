"""Encoded pieces on disk, and the windows cut from them."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from partimento.codec import RollSpec, TokenSpec
from partimento.pieces import InvalidPieces, Pieces
from partimento.windows import Windows, importance

FEW = settings(max_examples=30, deadline=None)
SPEC = TokenSpec(vocab_size=1003, pad=1000, bos=1001, eos=1002)


def pieces_of(ids: list[NDArray[np.int64]], lengths: list[int]) -> Pieces:
    """Pieces in memory, given with their bos and eos."""
    starts = np.cumsum(lengths) - lengths
    return Pieces(np.concatenate(ids), starts, np.array(lengths), np.array(lengths) - 2, spec=SPEC, digest="")


def numbered(lengths: list[int]) -> Pieces:
    """Pieces whose ids are their place among all ids, so that each position can be told from every other."""
    return pieces_of([np.arange(sum(lengths))], lengths)


def targets(x: NDArray[np.int64], mask: NDArray[np.bool_]) -> list[int]:
    return x[mask].tolist()


def all_targets(pieces: Pieces) -> list[int]:
    return [
        t for start, length in zip(pieces.starts, pieces.lengths, strict=True) for t in range(start + 1, start + length)
    ]


lengths_of_pieces = st.lists(st.integers(2, 70), min_size=1, max_size=20)


def test_written_pieces_are_read_back_with_bos_and_eos(tmp_path: Path) -> None:
    ids = [np.array([3, 1, 4]), np.array([], dtype=np.int64), np.array([999])]
    pieces = Pieces.write(tmp_path / "pieces", zip(ids, (3, 0, 1), strict=True), SPEC)
    assert [pieces[n].tolist() for n in range(3)] == [[1001, 3, 1, 4, 1002], [1001, 1002], [1001, 999, 1002]]
    assert pieces.notes.tolist() == [3, 0, 1]
    assert pieces.positions == 4 + 1 + 2
    assert pieces.spec == SPEC
    assert pieces.rows.dtype == np.uint16
    assert isinstance(pieces.rows, np.memmap)


@pytest.mark.parametrize("weight", [0.05, 0.4, 0.95, 1.7])
def test_no_update_is_without_music_however_seldom_pieces_come(weight: float) -> None:
    """One window an update, of pieces that chance lets come now more and now less often."""
    windows = Windows(numbered([50, 7, 33, 21, 40]), 8, 1, weights=np.full(5, weight))
    assert all(windows.at(update).mask.any() for update in range(300))


def test_large_vocabularies_are_kept_whole(tmp_path: Path) -> None:
    spec = TokenSpec(vocab_size=100_003, pad=100_000, bos=100_001, eos=100_002)
    pieces = Pieces.write(tmp_path / "pieces", [(np.array([99_999]), 1)], spec)
    assert pieces[0].tolist() == [100_001, 99_999, 100_002]


def test_no_pieces_at_all_are_kept_too(tmp_path: Path) -> None:
    assert len(Pieces.write(tmp_path / "pieces", [], SPEC)) == 0


@pytest.mark.parametrize("ids", [np.array([1003]), np.array([-1]), np.zeros((2, 2), dtype=np.int64)])
def test_ids_that_the_spec_lacks_are_refused_and_leave_nothing(tmp_path: Path, ids: NDArray[np.int64]) -> None:
    with pytest.raises(ValueError, match="not a row of ids"):
        Pieces.write(tmp_path / "pieces", [(ids, 1)], SPEC)
    assert list(tmp_path.iterdir()) == []


def test_writing_takes_no_more_memory_for_more_music(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        Pieces.write(tmp_path / str(count), ((np.arange(1000), 1000) for _ in range(count)), SPEC)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(10)
    assert peak(1000) < peak(100) + 500_000  # the ids would be 2 MB as they are stored


def test_a_new_writing_replaces_the_old(tmp_path: Path) -> None:
    for value in (1, 2):
        pieces = Pieces.write(tmp_path / "pieces", [(np.array([value]), 1)], SPEC)
    assert pieces[0].tolist() == [1001, 2, 1002]
    assert [p.name for p in tmp_path.iterdir()] == ["pieces"]


@pytest.mark.parametrize("part", ["rows.npy", "index.npy", "pieces.json"])
@pytest.mark.parametrize("damage", ["cut", "gone", "foreign"])
def test_a_damaged_or_foreign_folder_is_refused(tmp_path: Path, part: str, damage: str) -> None:
    Pieces.write(tmp_path / "p", [(np.arange(500), 500), (np.arange(7), 7)], SPEC)
    file = tmp_path / "p" / part
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-3])
    elif damage == "gone":
        file.unlink()
    else:
        file.write_text(json.dumps({"format": "something else"}))
    with pytest.raises(InvalidPieces, match="Delete it and encode the music again"):
        Pieces.open(tmp_path / "p")


def test_parts_of_two_writings_do_not_pass_for_one(tmp_path: Path) -> None:
    Pieces.write(tmp_path / "a", [(np.arange(500), 500)], SPEC)
    Pieces.write(tmp_path / "b", [(np.arange(400), 400)], SPEC)
    (tmp_path / "b" / "rows.npy").replace(tmp_path / "a" / "rows.npy")
    with pytest.raises(InvalidPieces, match="do not belong together"):
        Pieces.open(tmp_path / "a")


def test_the_digest_tells_pieces_apart(tmp_path: Path) -> None:
    def digest(*pieces: list[int]) -> str:
        return Pieces.write(tmp_path / "p", [(np.array(p), 1) for p in pieces], SPEC).digest

    assert digest([1, 2], [3]) == digest([1, 2], [3])
    assert len({digest([1, 2], [3]), digest([1, 2], [4]), digest([3], [1, 2]), digest([1, 2])}) == 4
    whole = Pieces.write(tmp_path / "p", [(np.array([1]), 1), (np.array([1]), 1)], SPEC)
    assert whole.take(np.array([0])).digest == whole.take(np.array([0])).digest != whole.take(np.array([1])).digest


@given(lengths_of_pieces, st.integers(1, 300), st.integers(0, 3))
def test_at_most_so_many_ids_are_whole_pieces(lengths: list[int], positions: int, seed: int) -> None:
    pieces = numbered(lengths)
    some = pieces.at_most(positions, seed)
    assert some.positions <= positions or len(some) == 1
    assert set(all_targets(some)) <= set(all_targets(pieces))
    assert pieces.at_most(pieces.positions, seed) is pieces


@given(lengths_of_pieces, st.integers(1, 40), st.integers(1, 6), st.integers(0, 5))
def test_an_epoch_predicts_every_position_once(lengths: list[int], length: int, batch: int, seed: int) -> None:
    windows = Windows(numbered(lengths), length, batch, seed)
    for epoch in (0, 3):
        first = epoch * windows.updates_per_epoch
        seen = [windows.at(first + n) for n in range(windows.updates_per_epoch)]
        assert all(mask.any() for _, mask, *_ in seen), "no update is empty"
        assert sorted(t for x, mask, *_ in seen for t in targets(x, mask)) == sorted(all_targets(windows.pieces))


@given(lengths_of_pieces, st.integers(1, 40), st.integers(1, 6), st.integers(0, 30))
def test_a_window_is_one_piece_of_music_in_its_order(lengths: list[int], length: int, batch: int, update: int) -> None:
    pieces = numbered(lengths)
    x, mask, *_ = Windows(pieces, length, batch).at(update)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    assert x.shape[1] <= length + 1
    assert not mask[:, 0].any()
    for row, counts in zip(x, mask, strict=True):
        size = int(counts.sum())
        assert counts[1 : size + 1].all()
        assert (np.diff(row[: size + 1]) == 1).all()
        assert len(set(owner[row[: size + 1]])) == 1
        assert (row[size + 1 :] == SPEC.pad).all()


def test_a_batch_is_a_function_of_seed_and_update() -> None:
    pieces = numbered([100, 40, 7, 80, 300])
    one, other = Windows(pieces, 16, 4, seed=1), Windows(pieces, 16, 4, seed=1)
    forwards = [one.at(n) for n in range(30)]
    backwards = [other.at(n) for n in reversed(range(30))][::-1]
    for (x, mask, *_), (again, mask_again, *_) in zip(forwards, backwards, strict=True):
        np.testing.assert_array_equal(x, again)
        np.testing.assert_array_equal(mask, mask_again)
    assert any(not np.array_equal(one.at(n)[0], Windows(pieces, 16, 4, seed=2).at(n)[0]) for n in range(30))


def test_pieces_shorter_than_a_window_are_never_cut() -> None:
    windows = Windows(numbered([10, 20, 33, 33]), 32, 2)
    begins = {int(row[0]) for n in range(20) for row in windows.at(n)[0]}
    assert begins == {0, 10, 30, 63}


def test_in_the_course_of_epochs_windows_begin_everywhere() -> None:
    windows = Windows(numbered([200]), 8, 4)
    begins = {int(row[0]) for n in range(100 * windows.updates_per_epoch) for row in windows.at(n)[0]}
    assert begins == set(range(199))


def test_little_is_filled_up_and_updates_weigh_the_same() -> None:
    rng = np.random.default_rng(0)
    windows = Windows(numbered(rng.integers(2, 1500, 300).tolist()), 256, 16)
    batches = [windows.at(n)[1] for n in range(windows.updates_per_epoch)]
    counts = [int(mask.sum()) for mask in batches]
    assert sum(counts) > 0.85 * sum(mask[:, 1:].size for mask in batches)
    assert min(counts) > 256 * 15
    assert max(counts) < 256 * 18


def test_weights_decide_how_often_a_piece_occurs() -> None:
    pieces = numbered([50, 50, 50])
    windows = Windows(pieces, 10, 2, weights=np.array([0.0, 0.5, 3.0]))
    epochs = 200
    seen: Counter[int] = Counter()
    for n in range(epochs * windows.updates_per_epoch):
        x, mask, *_ = windows.at(n)
        seen.update(np.array(targets(x, mask)) // 50)
    share = np.array([seen[n] for n in range(3)]) / (49 * epochs)
    assert share[0] == 0
    assert share[1] == pytest.approx(0.5, abs=0.1)
    assert share[2] == 3


@given(lengths_of_pieces, st.none() | st.integers(1, 30), st.integers(1, 4))
def test_held_out_positions_are_predicted_once(lengths: list[int], context: int | None, batch: int) -> None:
    pieces = numbered(lengths)
    begins = np.repeat(pieces.starts, lengths)
    seen: list[int] = []
    for x, mask, *_ in Windows(pieces, 8, batch).cover(context):
        for row, counts in zip(x, mask, strict=True):
            seen += row[counts].tolist()
            for position in np.flatnonzero(counts):
                before = int(row[position]) - int(begins[row[position]])  # ids that precede it in its piece
                assert position == before or (context is not None and position >= min(context // 2, before))
                assert context is None or position <= context
    assert sorted(seen) == sorted(all_targets(pieces))


@pytest.mark.parametrize("length", [3, 10])
def test_the_tutorials_overlapping_windows_learn_the_same_targets_for_length_times_the_work(length: int) -> None:
    pieces = numbered([40, 25, length + 1])
    classic = []
    for start, size in zip(pieces.starts, pieces.lengths, strict=True):
        piece = pieces.rows[start : start + size]
        classic += [(piece[i : i + length], piece[i + length]) for i in range(size - length)]
    read_by_classic = sum(len(window) for window, _ in classic)

    windows = Windows(pieces, length, 2)
    batches = [windows.at(n) for n in range(windows.updates_per_epoch)]
    ours = [t for x, mask, *_ in batches for t in targets(x, mask)]
    shown_too = [t for start in pieces.starts for t in range(start + 1, start + length)]  # they have too little before

    assert sorted(ours) == sorted([int(target) for _, target in classic] + shown_too)
    assert read_by_classic == length * len(classic)
    assert sum(int(mask.sum()) for _, mask, *_ in batches) == len(ours)  # one id read for each id learnt


def test_music_that_would_not_fit_in_memory_is_drawn_from_in_flat_memory(tmp_path: Path) -> None:
    pieces = Pieces.write(tmp_path / "p", ((np.arange(1000), 1) for _ in range(3000)), SPEC)
    windows = Windows(pieces, 100, 8)
    tracemalloc.start()
    for n in range(50):
        windows.at(n)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert used < 5_000_000  # the epoch's plan, some numbers for each window; the ids as int64 would be 24 MB


GRID = RollSpec(channels=2, low=60, pitches=7, steps_per_beat=4)


def grids(lengths: list[int], spec: RollSpec = GRID) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(len(lengths))
    return [(rng.random((n, spec.channels, spec.pitches)) < 0.3).astype(np.float32) for n in lengths]


def written(folder: Path, lengths: list[int], spec: RollSpec = GRID) -> Pieces:
    return Pieces.write(folder, ((x, len(x)) for x in grids(lengths, spec)), spec)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_grids_are_read_back_as_they_were(tmp_path: Path, channels: int) -> None:
    spec = RollSpec(channels, 24, 78, 4)
    x = grids([5, 0, 9], spec)
    if channels == 3:
        x = [np.concatenate([a[:, :2], np.round(a[:, 2:] * 64) / 127], axis=1).astype(np.float32) for a in x]
    pieces = Pieces.write(tmp_path / "p", ((a, 1) for a in x), spec)
    again = Pieces.open(tmp_path / "p")
    assert again.spec == spec
    assert pieces.positions == 14, "every frame is predicted"
    for number, array in enumerate(x):
        np.testing.assert_array_equal(again[number], array)
    with pytest.raises(ValueError, match="not a grid"):
        Pieces.write(tmp_path / "q", [(np.zeros((3, channels, 5), np.float32), 1)], spec)


@FEW
@given(st.lists(st.integers(0, 70), min_size=1, max_size=12).filter(any), st.integers(1, 40), st.integers(0, 3))
def test_an_epoch_of_grids_predicts_every_frame_once_and_knows_where_it_is(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], length: int, seed: int
) -> None:
    pieces = written(tmp_path_factory.mktemp("grids") / "p", lengths)
    windows = Windows(pieces, length, 3, seed)
    frames = 0
    for update in range(windows.updates_per_epoch):
        x, mask, begin, _ = windows.at(update)
        assert x.shape[2:] == (2, 7)
        assert not x[~mask].any()
        for row, asked, start in zip(x, mask, begin, strict=True):
            music = row[asked]
            assert any(
                (pieces[n][start : start + len(music)] == music).all()
                for n in range(len(pieces))
                if lengths[n] >= start + len(music)
            )
        frames += int(mask.sum())
    assert frames == sum(lengths)
    covered = sum(int(mask.sum()) for _, mask, *_ in windows.cover())
    assert covered == sum(lengths)


@FEW
@given(
    st.lists(st.integers(0, 90), min_size=1, max_size=12).filter(any),
    st.sampled_from([(16, 4), (8, 8), (5, 1), (1, 1)]),
    st.integers(0, 3),
)
def test_phrases_are_of_one_length_begin_aligned_and_cover_held_out_pieces_once(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], shape: tuple[int, int], seed: int
) -> None:
    steps, align = shape
    pieces = written(tmp_path_factory.mktemp("grids") / "p", lengths)
    windows = Windows(pieces, steps, 3, seed, align=align)
    seen = [windows.at(update) for update in range(2 * windows.updates_per_epoch)]
    assert any(len(x) for x, *_ in seen)
    for x, mask, begin, _ in [*seen, *windows.cover()]:
        assert x.shape[1] == mask.shape[1] == steps
        assert not (begin % align).any()
        assert not x[~mask].any(), "what is filled up is silence"
    for _, mask, *_ in seen:
        assert (mask.mean(1) >= 0.5).all() or min(n for n in lengths if n) < steps / 2
    assert sum(int(mask.sum()) for _, mask, *_ in windows.cover()) == sum(lengths)


def test_phrases_begin_elsewhere_in_other_epochs(tmp_path: Path) -> None:
    windows = Windows(written(tmp_path / "p", [80]), 16, 2, align=4)
    begins = {int(b) for update in range(20 * windows.updates_per_epoch) for b in windows.at(update).begin}
    assert begins == set(range(0, 73, 4)), "every bar begins a phrase at times, if half of it is left at least"


def test_rare_ids_can_count_for_more() -> None:
    importance = np.ones(1003, dtype=np.float32)
    importance[7] = 5
    windows = Windows(numbered([30, 12]), 8, 2, importance=importance)
    for update in range(windows.updates_per_epoch):
        x, mask, _, weight = windows.at(update)
        assert weight is not None
        np.testing.assert_array_equal(weight, np.where(mask, np.where(x == 7, 5, 1), 0))
    assert Windows(numbered([30]), 8, 2).at(0).weight is None


@given(st.lists(st.lists(st.integers(0, 5), max_size=30), min_size=1, max_size=6), st.integers(1, 12))
def test_every_id_that_occurs_weighs_as_if_it_occurred_so_often(pieces: list[list[int]], least: int) -> None:
    spec = TokenSpec(vocab_size=9, pad=6, bos=7, eos=8)
    rows = np.array([id for piece in pieces for id in [spec.bos, *piece, spec.eos]])
    lengths = np.array([len(piece) + 2 for piece in pieces])
    starts = np.cumsum(lengths) - lengths
    weights = importance(Pieces(rows, starts, lengths, lengths - 2, spec=spec, digest=""), least)
    counts = np.bincount(rows, minlength=9)
    assert (weights[6:] == 1).all()
    for id in range(6):
        expected = max(least, counts[id]) if counts[id] else 0
        assert counts[id] * weights[id] == pytest.approx(expected)


def test_some_updates_hear_other_windows_in_the_place_of_these(tmp_path: Path) -> None:
    mine, other = numbered([40, 60, 50]), numbered([30, 30])
    beside = Windows(other, 8, 2, seed=3)
    plain, mixed = Windows(mine, 8, 2, seed=3), Windows(mine, 8, 2, seed=3, beside=(beside, 0.3))
    count = 0
    for update in range(100):
        of_others = np.array_equal(mixed.at(update).x, beside.at(update).x)
        assert of_others or np.array_equal(mixed.at(update).x, plain.at(update).x)
        count += of_others
    assert 15 < count < 45


def test_some_windows_are_told_otherwise_and_the_same_ones_each_time(tmp_path: Path) -> None:
    spec = TokenSpec(vocab_size=40, pad=30, bos=31, eos=32, group=2)
    arrays = [np.random.default_rng(n).integers(0, 20, 24) for n in range(12)]
    pieces = Pieces.write(tmp_path / "pieces", ((ids, 12) for ids in arrays), spec)

    class Backwards:
        def retold(self, x: np.ndarray, rng: np.random.Generator, ends: bool = False) -> np.ndarray | None:
            assert ends  # windows hold whole pieces
            return x[::-1] if rng.random() < 0.9 else None

        def given(self, x: np.ndarray) -> np.ndarray:
            return x == 5

    plain = Windows(pieces, 30, 6, seed=1)
    told, again = (Windows(pieces, 30, 6, seed=1, retold=(Backwards(), 0.5)) for _ in range(2))
    changed = 0
    for update in range(2 * told.updates_per_epoch):
        drawn, same, before = told.at(update), again.at(update), plain.at(update)
        np.testing.assert_array_equal(drawn.x, same.x)
        for row in range(len(drawn.x)):
            ids, old = drawn.x[row][drawn.mask[row]], before.x[row][before.mask[row]]
            assert drawn.x[row, 0] == spec.bos
            if not np.array_equal(ids, old):
                changed += 1
                whole = np.append(old[:-1][::-1], spec.eos)
                np.testing.assert_array_equal(drawn.x[row, 1 : len(whole) + 1], whole)
                np.testing.assert_array_equal(ids, whole[whole != 5])
    assert 4 < changed < 20
    assert all(np.array_equal(a.x, b.x) for a, b in zip(told.cover(), plain.cover(), strict=True))
