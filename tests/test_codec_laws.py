"""The laws that every codec keeps, looped over all that are found: a new one is tested on arrival."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from partimento.codec import Codec, Grammar, Request, RollSpec, TokenSpec, codecs
from partimento.errors import ImpossibleRequest
from partimento.sampling import Draft, sample
from partimento.score import Score, bar_lines, end_tick, seconds_at
from partimento.settings import from_table, to_table

from music import requests, scores, tune

FEW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
TUNES = [tune(seed) for seed in range(4)]


def trained(kind: type[Codec[Any]], **chosen: Any) -> Codec[Any]:
    codec = kind(kind.Settings(**chosen))
    codec.learn(TUNES)
    return codec


CODECS = {name: trained(kind) for name, kind in codecs().items()}
CODECS["cells, tempi where they change"] = trained(codecs()["cells"], tempo_told="changed")
CODECS["cells, aligned"] = trained(codecs()["cells"], align=True)
every_codec = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())
TOKEN_CODECS = {name: codec for name, codec in CODECS.items() if isinstance(codec.spec, TokenSpec)}
every_token_codec = pytest.mark.parametrize("codec", TOKEN_CODECS.values(), ids=TOKEN_CODECS.keys())


def any_array(codec: Codec[Any]) -> st.SearchStrategy[NDArray[Any]]:
    """Arrays of the codec's spec with any values, sensible or not."""
    spec = codec.spec
    if isinstance(spec, TokenSpec):
        return st.lists(st.integers(0, spec.vocab_size - 1), max_size=60).map(lambda ids: np.array(ids, dtype=np.int64))
    shape = st.integers(0, 12).map(lambda steps: (steps, spec.channels, spec.pitches))
    values = st.one_of(st.sampled_from((0.0, 1.0, 0.5)), st.floats(width=32))
    return shape.flatmap(lambda s: arrays.arrays(np.float32, s, elements=values))


def continued(codec: Codec[Any], request: Request, prompt: NDArray[np.int64], seed: int) -> tuple[list[int], Grammar]:
    """Draw ids under the mask, each alike, until the end or 2,000 of them."""
    grammar, rng = codec.grammar(), np.random.default_rng(seed)
    assert grammar is not None, "a codec of tokens has a grammar"
    grammar.start(request)
    for id in prompt:
        grammar.advance(int(id))
    grammar.begin()
    ids: list[int] = []
    while len(ids) < 2000:
        mask = grammar.mask()
        assert mask.shape == (codec.spec.vocab_size,)
        assert mask.dtype == np.bool_
        choices = np.flatnonzero(mask)
        assert len(choices), "a grammar never leaves the sampler without a choice"
        beyond = grammar.beyond()
        if beyond is not None:
            assert mask[codec.spec.eos], "only where the piece may end is there something beyond its end"
            assert not mask[beyond].any()
        assert codec.spec.pad not in choices
        assert codec.spec.bos not in choices
        id = int(rng.choice(choices))
        if id == codec.spec.eos:
            return ids, grammar
        grammar.advance(id)
        ids.append(id)
    return ids, grammar


def end_seconds(score: Score) -> float:
    return float(seconds_at(score, np.array([end_tick(score)]))[0])


@every_codec
@FEW
@given(score=scores())
def test_what_was_decoded_is_encoded_as_before(codec: Codec[Any], score: Score) -> None:
    x = codec.encode(score)
    np.testing.assert_array_equal(codec.encode(codec.decode(x)), x)


@every_codec
@FEW
@given(score=scores())
def test_encoding_leaves_the_score_as_it_was_and_says_the_same_twice(codec: Codec[Any], score: Score) -> None:
    before = score.copy()
    np.testing.assert_array_equal(codec.encode(score), codec.encode(score))
    assert score == before


@every_codec
@FEW
@given(score=scores())
def test_what_is_encoded_is_of_the_spec(codec: Codec[Any], score: Score) -> None:
    x, spec = codec.encode(score), codec.spec
    if isinstance(spec, TokenSpec):
        assert x.dtype == np.int64
        assert x.ndim == 1
        assert not np.isin(x, (spec.pad, spec.bos, spec.eos)).any()
        assert ((x >= 0) & (x < spec.vocab_size)).all()
    else:
        assert isinstance(spec, RollSpec)
        assert x.dtype == np.float32
        assert x.shape[1:] == (spec.channels, spec.pitches)
        assert ((x >= 0) & (x <= 1)).all()


@every_codec
@FEW
@given(data=st.data())
def test_any_array_of_the_spec_decodes_and_then_is_stable(codec: Codec[Any], data: st.DataObject) -> None:
    x = data.draw(any_array(codec))
    score = codec.decode(x)
    assert codec.notes(x) == score.note_num()
    y = codec.encode(score)
    np.testing.assert_array_equal(codec.encode(codec.decode(y)), y)


@every_codec
@FEW
@given(score=scores())
def test_notes_are_counted_as_they_sound(codec: Codec[Any], score: Score) -> None:
    x = codec.encode(score)
    assert codec.notes(x) == codec.decode(x).note_num()


@every_codec
def test_music_survives(codec: Codec[Any]) -> None:
    """What the tunes have within the bounds of every codec: when something is struck, and how high the tune goes."""
    for score in TUNES:
        decoded = codec.decode(codec.encode(score))
        onsets, again = (
            {n.time / s.ticks_per_quarter for t in s.tracks if not t.is_drum for n in t.notes} for s in (score, decoded)
        )
        assert onsets == again
        assert {n.pitch for n in score.tracks[0].notes} <= {n.pitch for t in decoded.tracks for n in t.notes}


@every_codec
def test_a_saved_codec_encodes_and_decodes_alike(codec: Codec[Any], tmp_path: Path) -> None:
    codec.save(tmp_path)
    table = to_table(codec.settings)
    loaded = type(codec).load(tmp_path, from_table(type(codec).Settings, table, "codec"))
    assert loaded.spec == codec.spec
    for score in TUNES:
        x = codec.encode(score)
        np.testing.assert_array_equal(loaded.encode(score), x)
        assert loaded.decode(x) == codec.decode(x)
    mine, its = codec.grammar(), loaded.grammar()
    if mine is not None and its is not None:
        for grammar in (mine, its):
            grammar.start(Request(bars=2))
            grammar.begin()
        np.testing.assert_array_equal(mine.mask(), its.mask())


@every_token_codec
def test_special_ids_are_three_different_ones(codec: Codec[Any]) -> None:
    spec = codec.spec
    assert len({spec.pad, spec.bos, spec.eos}) == 3
    assert all(0 <= id < spec.vocab_size for id in (spec.pad, spec.bos, spec.eos))


@every_token_codec
@FEW
@given(request=requests(), seed=st.integers(0, 2**32 - 1), cut=st.floats(0, 1), which=st.integers(-1, len(TUNES) - 1))
def test_what_is_drawn_under_the_mask_is_what_was_asked_for(
    codec: Codec[Any], request: Request, seed: int, cut: float, which: int
) -> None:
    """From nothing or from a prompt cut anywhere, in the middle of a bar or of a note."""
    prompt = codec.encode(TUNES[which]) if which >= 0 else np.empty(0, dtype=np.int64)
    prompt = prompt[: int(cut * len(prompt))]
    ids, _ = continued(codec, request, prompt, seed)
    assert len(ids) < 2000 or request == Request(), "a piece of an asked length ends"
    whole = np.concatenate([prompt, np.array(ids, dtype=np.int64)])
    if request.notes is not None:
        assert codec.notes(whole) - codec.notes(prompt) == request.notes
    if request.bars is not None and not len(prompt):
        assert len(bar_lines(codec.decode(whole))) == request.bars
    if request.seconds is not None:
        heard = end_seconds(codec.decode(prompt))
        assert end_seconds(codec.decode(whole)) <= heard + request.seconds + 1e-3
    told = codec.encode(codec.decode(whole))
    np.testing.assert_array_equal(codec.encode(codec.decode(told)), told)


@every_token_codec
@FEW
@given(data=st.data(), request=requests(), seed=st.integers(0, 2**32 - 1))
def test_a_grammar_takes_any_prompt(codec: Codec[Any], data: st.DataObject, request: Request, seed: int) -> None:
    prompt = data.draw(any_array(codec))
    ids, _ = continued(codec, request, prompt, seed)
    assert len(ids) < 2000 or request == Request()


@every_token_codec
def test_a_grammar_starts_anew(codec: Codec[Any]) -> None:
    """The same draws give the same ids whether the grammar has been used before or not."""
    fresh, used = codec.grammar(), codec.grammar()
    assert fresh is not None
    assert used is not None
    used.start(Request(notes=3))
    for id in codec.encode(TUNES[0])[:50]:
        used.advance(int(id))
    rng = np.random.default_rng(5)
    for grammar in (fresh, used):
        grammar.start(Request(bars=2))
        grammar.begin()
    for _ in range(100):
        np.testing.assert_array_equal(fresh.mask(), used.mask())
        id = int(rng.choice(np.flatnonzero(fresh.mask())))
        fresh.advance(id)
        used.advance(id)
    assert fresh.acted == used.acted


@every_token_codec
def test_no_time_at_all_is_refused_or_kept(codec: Codec[Any]) -> None:
    with contextlib.suppress(ImpossibleRequest):
        ids, _ = continued(codec, Request(seconds=1e-6), np.empty(0, dtype=np.int64), 0)
        assert end_seconds(codec.decode(np.array(ids, dtype=np.int64))) <= 1e-3


@pytest.mark.parametrize("name", ["tokens", "chords"])
def test_a_model_that_would_go_on_ends_where_it_is_told_to(name: str) -> None:
    """Of two bars asked for, the second is not filled up with what the model did not want to say."""
    made = codecs()[name](codecs()[name].Settings())
    score = tune(1, bars=4, drums=False)
    made.learn([score])
    ids = made.encode(score).tolist()

    class ByHeart:
        """Foretells the tune, id by id."""

        def start(self, batch: int) -> int:
            return 0

        def step(self, read: np.ndarray[Any, Any], state: int) -> tuple[np.ndarray[Any, Any], int]:
            logits = np.full((len(read), made.spec.vocab_size), -20, np.float32)
            logits[:, ids[state]] = 0
            return logits, state + 1

    grammar = made.grammar()
    assert grammar is not None
    grammar.start(Request(bars=2))
    grammar.begin()
    draft = Draft(np.random.default_rng(0), grammar, np.array([made.spec.bos]))
    sample(ByHeart(), [draft], made.spec, longest=1000)
    assert draft.ended
    assert draft.ids == ids[: len(draft.ids)]
    assert len(bar_lines(made.decode(np.array(draft.ids)))) == 2
