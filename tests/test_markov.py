"""N-grams with back-off: the counting, the smoothing and the player."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from partimento.codec import RollSpec, TokenSpec
from partimento.errors import InvalidBundle, InvalidSettings, TooLittleMusic
from partimento.model import Batch, Counted, Likelihood, Predicts
from partimento.models.markov import Markov
from partimento.ngrams import Ngrams, _discounts
from partimento.players.counts import open_player

V, PAD, BOS, EOS = 9, 6, 7, 8
SPEC = TokenSpec(V, PAD, BOS, EOS)
some_pieces = st.lists(
    st.lists(st.integers(0, 5), max_size=12).map(lambda ids: np.array([BOS, *ids, EOS])), min_size=1, max_size=6
)


def melodies(count: int, seed: int = 0) -> list[NDArray[np.int64]]:
    """Walks on a scale that turn back at its ends: much can be learnt from the two ids before, not all."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        at, way, ids = 0, 1, []
        for _ in range(60):
            if not 0 <= at + way <= 5 or rng.random() < 0.2:
                way = -way
            at = min(max(at + way, 0), 5)
            ids.append(at)
        made.append(np.array([BOS, *ids, EOS]))
    return made


def by_hand(pieces: list[NDArray[np.int64]], order: int, context: list[int]) -> NDArray[np.float64]:
    """Interpolated modified Kneser-Ney as the paper writes it, in dictionaries."""
    raw: dict[tuple[int, ...], int] = defaultdict(int)
    for piece in pieces:
        for at in range(1, len(piece)):
            for size in range(1, min(order, at + 1) + 1):
                raw[tuple(piece[at - size + 1 : at + 1])] += 1
    counts = dict(raw)
    for gram in raw:
        before = {longer[0] for longer in raw if len(longer) == len(gram) + 1 and longer[1:] == gram}
        if len(gram) < order and before:
            counts[gram] = len(before)

    def p(h: tuple[int, ...]) -> NDArray[np.float64]:
        lower = p(h[1:]) if h else np.array([float(w not in (PAD, BOS)) for w in range(V)]) / (V - 2)
        followers = {gram[-1]: c for gram, c in counts.items() if gram[:-1] == h}
        if not followers:
            return lower
        discounts = _discounts(np.array([c for gram, c in counts.items() if len(gram) == len(h) + 1]))
        taken = {w: discounts[min(c, 3)] for w, c in followers.items()}
        result = sum(taken.values()) / sum(followers.values()) * lower
        for w, c in followers.items():
            result[w] += (c - taken[w]) / sum(followers.values())
        return result

    return p(tuple(context)[max(len(context) - order + 1, 0) :])


@given(some_pieces, st.integers(1, 5), st.lists(st.integers(0, 5), max_size=5))
@settings(max_examples=60, deadline=None)
def test_it_is_kneser_ney_as_the_paper_writes_it(pieces: list[NDArray[np.int64]], order: int, after: list[int]) -> None:
    ngrams = Ngrams.count(pieces, V, order, (PAD, BOS))
    context = [BOS, *after]
    row = np.array([([-1] * V + context)[-(order - 1) :]] if order > 1 else [[]], dtype=np.int64)
    np.testing.assert_allclose(ngrams.distribution(row)[0], by_hand(pieces, order, context), atol=1e-12)


@given(some_pieces, st.integers(1, 6), st.lists(st.lists(st.integers(0, 8), min_size=5, max_size=5), min_size=1))
@settings(max_examples=60, deadline=None)
def test_every_context_has_a_distribution(
    pieces: list[NDArray[np.int64]], order: int, contexts: list[list[int]]
) -> None:
    p = Ngrams.count(pieces, V, order, (PAD, BOS)).distribution(np.array(contexts))
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-12)
    assert (p[:, [PAD, BOS]] == 0).all()
    assert (p[:, [*range(6), EOS]] > 0).all()


def test_discounts_are_the_papers() -> None:
    counts = np.repeat([1, 2, 3, 4, 9], [100, 40, 20, 12, 3])
    y = 100 / (100 + 2 * 40)
    np.testing.assert_allclose(_discounts(counts)[1:], [1 - 2 * y * 0.4, 2 - 3 * y * 0.5, 3 - 4 * y * 0.6])
    assert _discounts(np.array([1, 1, 2]))[1] == 0.6  # too little to estimate


def test_held_out_music_gets_likelier_with_context() -> None:
    def nats(order: int) -> float:
        model = Markov(Markov.Settings(order=order), SPEC)
        model.count(melodies(60))
        x = np.stack(melodies(10, seed=1))
        batch = Batch(torch.from_numpy(x), torch.ones(x.shape, dtype=torch.bool))
        return -float(model.log_likelihood(batch).sum()) / (x.shape[0] * (x.shape[1] - 1))

    assert nats(1) > nats(2) > nats(3)
    assert nats(8) < nats(3) + 0.05  # longer contexts do no harm
    assert nats(3) < 0.75


def test_it_is_counted_and_likely_and_predicts() -> None:
    model = Markov(Markov.Settings(), SPEC)
    assert isinstance(model, Counted)
    assert isinstance(model, Likelihood)
    assert isinstance(model, Predicts)


def test_nothing_to_count_is_refused() -> None:
    with pytest.raises(TooLittleMusic):
        Markov(Markov.Settings(), SPEC).count([])


def test_a_grid_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="RollSpec"):
        Markov(Markov.Settings(), RollSpec(1, 21, 88, 4))  # type: ignore[arg-type]


def exported(tmp_path: Path, order: int = 5) -> Path:
    model = Markov(Markov.Settings(order=order), SPEC)
    model.count(melodies(20))
    assert model.export(tmp_path) == "counts"
    return tmp_path


@pytest.mark.parametrize("order", [1, 2, 5])
def test_the_player_gives_the_models_distribution(tmp_path: Path, order: int) -> None:
    player = open_player(exported(tmp_path, order))
    ngrams = Ngrams.count(melodies(20), V, order, (PAD, BOS))
    music = np.stack(melodies(3, seed=2))
    state = player.start(3)
    for at in range(20):
        logits, state = player.step(music[:, at], state)
        context = np.full((3, order - 1), -1)
        known = music[:, max(0, at + 2 - order) : at + 1] if order > 1 else context
        context[:, context.shape[1] - known.shape[1] :] = known
        assert logits.dtype == np.float32
        np.testing.assert_allclose(np.exp(logits), ngrams.distribution(context), atol=1e-6)
    np.testing.assert_array_equal(player.narrow(state, np.array([2])), state[2:])


def test_the_player_is_quick(tmp_path: Path) -> None:
    player = open_player(exported(tmp_path, 8))
    state, ids = player.start(1), np.array([BOS])
    seconds = []
    for _ in range(200):
        started = time.perf_counter()
        logits, state = player.step(ids, state)
        seconds.append(time.perf_counter() - started)
        ids = logits.argmax(1)
    assert np.median(seconds) < 1e-3


@pytest.mark.parametrize("damage", ["cut", "gone", "other", "nonsense", "edges", "followers"])
def test_damaged_counts_are_refused(tmp_path: Path, damage: str) -> None:
    file = exported(tmp_path) / "counts.safetensors"
    arrays = safetensors.numpy.load_file(file)
    match damage:
        case "cut":
            file.write_bytes(file.read_bytes()[:-10])
        case "gone":
            file.unlink()
        case "other":
            (tmp_path / "player.json").write_text(json.dumps({"player": "step", "vocab_size": V}))
        case "nonsense":
            (tmp_path / "player.json").write_text("[")
        case "edges":
            arrays["2.edges"][1] += 1000
            safetensors.numpy.save_file(arrays, file)
        case "followers":
            arrays["1.followers"][0] = 1 << 20
            safetensors.numpy.save_file(arrays, file)
    with pytest.raises(InvalidBundle, match="counts"):
        open_player(tmp_path)


def test_counts_of_another_vocabulary_are_refused() -> None:
    model = Markov(Markov.Settings(order=3), SPEC)
    model.count(melodies(3))
    other = Markov(Markov.Settings(order=3), TokenSpec(V + 1, PAD, BOS, EOS))
    with pytest.raises(InvalidBundle, match="another vocabulary"):
        other.load_arrays(model.arrays())
