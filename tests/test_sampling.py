from __future__ import annotations

import dataclasses
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from partimento.codec import Request, TokenSpec
from partimento.distributions import draw, kinds_p, min_p, of_kinds, softmax, top_k, top_p
from partimento.errors import InvalidBundle, InvalidSettings
from partimento.guards import Guards, LoopGuard, without
from partimento.sampling import Draft, Sampling, probabilities, sample
from partimento.settings import from_table

SPEC = TokenSpec(vocab_size=12, pad=0, bos=1, eos=2)

logits_and_masks = st.integers(1, 40).flatmap(
    lambda V: st.tuples(
        arrays(np.float32, (3, V), elements=st.floats(-50, 50, width=32)),
        arrays(np.bool_, (3, V)).filter(lambda m: bool(m.any(axis=1).all())),
    )
)
ways = st.builds(
    Sampling,
    temperature=st.sampled_from([0.0, 5e-324, 1e-30, 0.3, 1.0, 2.5, 1e6]),
    top_k=st.integers(0, 50),
    top_p=st.floats(1e-6, 1.0),
    min_p=st.floats(0.0, 1.0),
)


def row(*values: float) -> NDArray[np.float32]:
    return np.array([values], dtype=np.float32)


def everything(logits: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.ones(logits.shape, dtype=np.bool_)


@given(logits_and_masks, ways)
def test_a_distribution_sums_to_one_and_never_leaves_the_mask(
    given: tuple[NDArray[np.float32], NDArray[np.bool_]], way: Sampling
) -> None:
    logits, mask = given
    p = probabilities(logits, mask, way)
    assert p.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (p >= 0).all()
    assert not p[~mask].any()


@given(logits_and_masks, ways)
def test_the_likeliest_id_stays_the_likeliest(
    given: tuple[NDArray[np.float32], NDArray[np.bool_]], way: Sampling
) -> None:
    logits, mask = given
    p = probabilities(logits, mask, way)
    best = np.where(mask, logits, -np.inf).argmax(axis=1)
    assert p[np.arange(3), best] == pytest.approx(p.max(axis=1), rel=1e-5)


@given(logits_and_masks, ways, st.integers(0, 2**32))
def test_a_draw_is_allowed_and_possible(
    given: tuple[NDArray[np.float32], NDArray[np.bool_]], way: Sampling, seed: int
) -> None:
    logits, mask = given
    p = probabilities(logits, mask, way)
    ids = draw(p, [np.random.default_rng([seed, i]) for i in range(3)])
    assert mask[np.arange(3), ids].all()
    assert (p[np.arange(3), ids] > 0).all()


@given(logits_and_masks, st.sampled_from([0.3, 1.0, 2.5]), st.integers(0, 50))
def test_the_order_of_the_vocabulary_is_of_no_account(
    given: tuple[NDArray[np.float32], NDArray[np.bool_]], temperature: float, k: int
) -> None:
    logits, mask = given
    way = Sampling(temperature=temperature, top_k=k)
    turned = probabilities(logits[:, ::-1], mask[:, ::-1], way)[:, ::-1]
    assert turned == pytest.approx(probabilities(logits, mask, way), abs=1e-5)


def test_temperature_has_its_stored_values() -> None:
    logits = np.log(row(0.1, 0.2, 0.3, 0.4))
    mask = everything(logits)
    assert softmax(logits, mask, [1.0]) == pytest.approx(row(0.1, 0.2, 0.3, 0.4))
    # p ** (1 / 0.5) made to sum to 1: 0.01, 0.04, 0.09, 0.16 over 0.30
    assert softmax(logits, mask, [0.5]) == pytest.approx(row(1 / 30, 4 / 30, 9 / 30, 16 / 30))
    assert softmax(logits, mask, [0.0]).tolist() == [[0, 0, 0, 1]]
    both = softmax(np.repeat(logits, 2, axis=0), np.repeat(mask, 2, axis=0), [0.0, 0.5])
    assert both == pytest.approx(np.concatenate([row(0, 0, 0, 1), row(1 / 30, 4 / 30, 9 / 30, 16 / 30)]))


def test_at_temperature_0_the_first_of_equals_is_taken() -> None:
    logits = row(1, 5, 5, 2)
    assert probabilities(logits, everything(logits), Sampling(temperature=0.0)).tolist() == [[0, 1, 0, 0]]


def test_top_k_has_its_stored_values() -> None:
    p = row(0.1, 0.2, 0.3, 0.4)
    assert top_k(p, 2) == pytest.approx(row(0, 0, 3 / 7, 4 / 7))
    assert top_k(p, 1) == pytest.approx(row(0, 0, 0, 1))
    assert top_k(p, 9) == pytest.approx(p)
    assert top_k(row(0.25, 0.25, 0.25, 0.25), 2) == pytest.approx(row(0.25, 0.25, 0.25, 0.25)), "equals stay together"


def test_top_p_has_its_stored_values() -> None:
    p = row(0.1, 0.2, 0.3, 0.4)
    assert top_p(p, 0.4) == pytest.approx(row(0, 0, 0, 1))
    assert top_p(p, 0.41) == pytest.approx(row(0, 0, 3 / 7, 4 / 7))
    assert top_p(p, 0.7) == pytest.approx(row(0, 0, 3 / 7, 4 / 7))
    assert top_p(p, 0.71) == pytest.approx(row(0, 2 / 9, 3 / 9, 4 / 9))
    assert top_p(p, 1.0) == pytest.approx(p)


def test_the_nucleus_of_kinds_keeps_all_ids_of_the_likeliest_kinds() -> None:
    p, kinds = row(0.1, 0.2, 0.25, 0.05, 0.4), of_kinds([0, 1, 0, 1, 2])
    some = of_kinds([0, 1, 0, 1, -1])
    assert kinds is not None
    assert some is not None
    assert of_kinds([-1, -1]) is None
    assert kinds_p(p, kinds, 0.4) == pytest.approx(row(0, 0, 0, 0, 1))
    assert kinds_p(p, kinds, 0.75) == pytest.approx(row(0.1 / 0.75, 0, 0.25 / 0.75, 0, 0.4 / 0.75))
    assert kinds_p(p, kinds, 1.0) == pytest.approx(p)
    assert kinds_p(p, some, 0.4) == pytest.approx(p)  # one may come that is of no kind
    zero = row(0.1, 0.2, 0.25, 0.45, 0)
    assert kinds_p(zero, some, 0.6) == pytest.approx(row(0, 0.2 / 0.65, 0, 0.45 / 0.65, 0))


def test_min_p_has_its_stored_values() -> None:
    p = row(0.1, 0.2, 0.3, 0.4)
    assert min_p(p, 0.5) == pytest.approx(row(0, 2 / 9, 3 / 9, 4 / 9))
    assert min_p(p, 0.51) == pytest.approx(row(0, 0, 3 / 7, 4 / 7))
    assert min_p(p, 1.0) == pytest.approx(row(0, 0, 0, 1))


def test_each_operation_sees_what_the_one_before_it_left() -> None:
    logits = np.log(row(0.1, 0.2, 0.3, 0.4))
    mask = row(1, 1, 1, 0) > 0
    # mask: 1/6, 2/6, 3/6; temperature 0.5: 1/14, 4/14, 9/14; top-k 2: 4/13, 9/13; top-p 0.69: only 9/13 = 0.692
    way = Sampling(temperature=0.5, top_k=2, top_p=0.69)
    assert probabilities(logits, mask, way) == pytest.approx(row(0, 0, 1, 0))
    # without top-k, 9/14 = 0.643 is not enough
    way = Sampling(temperature=0.5, top_p=0.69)
    assert probabilities(logits, mask, way) == pytest.approx(row(0, 4 / 13, 9 / 13, 0))
    # min-p looks at what temperature made: 4/9 = 0.44 against 2/3 before
    way = Sampling(temperature=0.5, min_p=0.5)
    assert probabilities(logits, mask, way) == pytest.approx(row(0, 0, 1, 0))


def test_draws_follow_the_distribution() -> None:
    p = np.repeat(row(0.0, 0.1, 0.6, 0.3, 0.0), 4000, axis=0)
    rng = np.random.default_rng(1)
    counts = np.bincount(draw(p, [rng] * 4000), minlength=5) / 4000
    assert counts == pytest.approx([0, 0.1, 0.6, 0.3, 0], abs=0.03)


def test_a_row_without_any_probability_is_drawn_from_evenly() -> None:
    logits = np.full((1, 4), -np.inf, np.float32)
    logits[0, 3] = 0.0
    mask = row(1, 1, 0, 0) > 0
    assert probabilities(logits, mask, Sampling()) == pytest.approx(row(0.5, 0.5, 0, 0))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_not_numbers_are_refused(bad: float) -> None:
    logits = row(0, 1, bad, 2)
    with pytest.raises(InvalidBundle, match="not numbers"):
        probabilities(logits, everything(logits), Sampling())


@pytest.mark.parametrize(
    "table",
    [
        {"temperature": -1},
        {"top_k": -1},
        {"top_p": 0},
        {"top_p": 1.5},
        {"min_p": 2},
        {"temperature": "hot"},
        {"steadiness": -1},
    ],
)
def test_a_way_of_sampling_that_cannot_be_is_refused(table: dict[str, Any]) -> None:
    with pytest.raises(InvalidSettings, match=next(iter(table))):
        from_table(Sampling, table, "sampling")


# ---- the loop ----


class Rote:
    """A stepper that goes on from each id as a table says, and is as sure of it as is asked."""

    def __init__(self, follow: dict[int, int], sureness: float = 30.0) -> None:
        self.follow, self.sureness = follow, sureness
        self.batches: list[int] = []
        self.heard: list[list[int]] = []

    def start(self, batch: int) -> list[int]:
        return [0] * batch

    def step(self, ids: NDArray[np.int64], state: list[int]) -> tuple[NDArray[np.float32], list[int]]:
        self.batches.append(len(ids))
        self.heard.append(ids.tolist())
        assert len(state) == len(ids)
        logits = np.random.default_rng(ids.tolist()).normal(size=(len(ids), SPEC.vocab_size)).astype(np.float32)
        for i, id in enumerate(ids.tolist()):
            if id in self.follow:
                logits[i, self.follow[id]] += self.sureness
        return logits, [s + 1 for s in state]


class Even(Rote):
    """One to which every id is as likely as any other."""

    def step(self, ids: NDArray[np.int64], state: list[int]) -> tuple[NDArray[np.float32], list[int]]:
        return np.zeros((len(ids), SPEC.vocab_size), np.float32), state


class EndlessRote(Rote):
    """One that all but never ends."""

    def step(self, ids: NDArray[np.int64], state: list[int]) -> tuple[NDArray[np.float32], list[int]]:
        logits, state = super().step(ids, state)
        logits[:, SPEC.eos] -= 100
        return logits, state


class NarrowRote(Rote):
    def narrow(self, state: list[int], rows: NDArray[np.int64]) -> list[int]:
        return [state[i] for i in rows]


class Free:
    """A grammar that allows everything until it has heard enough, and says what it heard."""

    def __init__(self, enough: int) -> None:
        self.acted: Counter[str] = Counter()
        self.heard: list[int] = []
        self.enough = enough

    def start(self, request: Request) -> None: ...

    def begin(self) -> None: ...

    def advance(self, id: int) -> None:
        self.heard.append(id)
        self.acted["silence"] += id == 3

    def beyond(self) -> NDArray[np.int64] | None:
        return None

    def mask(self) -> NDArray[np.bool_]:
        mask = np.zeros(SPEC.vocab_size, dtype=np.bool_)
        mask[SPEC.eos] = True
        if len(self.heard) < self.enough:
            mask[3:] = True
            mask[SPEC.eos] = False
        return mask


def drafts(n: int, seed: int = 0, **more: Any) -> list[Draft]:
    return [Draft(np.random.default_rng([seed, i]), None, np.array([SPEC.bos]), **more) for i in range(n)]


def test_the_same_seed_gives_the_same_music_and_pieces_differ() -> None:
    made = []
    for stepper in (Rote({}), Rote({}), NarrowRote({})):
        pieces = drafts(4, seed=5)
        sample(stepper, pieces, SPEC, longest=50)
        made.append([d.ids for d in pieces])
    assert made[0] == made[1]
    assert len({tuple(ids) for ids in made[0]}) == 4
    other = drafts(4, seed=6)
    sample(Rote({}), other, SPEC, longest=50)
    assert [d.ids for d in other] != made[0]


def test_neither_padding_nor_a_beginning_is_ever_written() -> None:
    pieces = drafts(8)
    sample(Rote({}), pieces, SPEC, longest=100)
    assert all(set(d.ids) <= set(range(3, 12)) for d in pieces)
    assert any(d.ended for d in pieces)


def test_a_piece_ends_at_its_end_or_is_cut_at_the_longest() -> None:
    ending, endless = (
        Draft(np.random.default_rng(0), None, np.array([4])),
        Draft(np.random.default_rng(1), None, np.array([7])),
    )
    sample(Rote({4: 5, 5: 6, 6: SPEC.eos, 7: 8, 8: 9, 9: 10, 10: 7}), [ending, endless], SPEC, longest=20)
    assert (ending.ids, ending.ended) == ([5, 6], True)
    assert (len(endless.ids), endless.ended) == (20, False)


def test_finished_pieces_leave_the_batch_where_the_stepper_can_do_without_them() -> None:
    follow = {4: 5, 5: SPEC.eos, 7: 8, 8: 9, 9: 10, 10: 7}
    made = {}
    for kind in (Rote, NarrowRote):
        stepper = kind(follow)
        pieces = [Draft(np.random.default_rng(i), None, np.array([first])) for i, first in enumerate((7, 4, 8))]
        sample(stepper, pieces, SPEC, longest=6)
        made[kind] = [d.ids for d in pieces]
        assert stepper.batches == ([3] * 6 if kind is Rote else [3, 3, 2, 2, 2, 2])
    assert made[Rote] == made[NarrowRote] == [[8, 9, 10, 7, 8, 9], [5], [9, 10, 7, 8, 9, 10]]


def test_a_short_prompt_does_not_wait_for_a_long_one() -> None:
    stepper = Rote({9: 4, 4: 5, 5: 6, 6: 4})
    long = Draft(np.random.default_rng(0), None, np.array([SPEC.bos, 7, 8, 9]))
    short = Draft(np.random.default_rng(0), None, np.array([SPEC.bos, 9]))
    sample(stepper, [long, short], SPEC, longest=4)
    assert long.ids == short.ids == [4, 5, 6, 4]
    assert stepper.heard[:4] == [[1, 1], [7, 9], [8, 4], [9, 5]]


def test_pieces_are_drawn_from_the_likeliest_kinds_alone() -> None:
    spec = dataclasses.replace(SPEC, kinds=(-1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 2, 2))
    pieces = [Draft(np.random.default_rng(i), Free(60), np.array([SPEC.bos])) for i in range(4)]
    sample(Even({}), pieces, spec, longest=100, sampling=Sampling(kinds_p=0.4))
    assert {id for draft in pieces for id in draft.ids} == {3, 4, 5, 6}


class Hurried(Free):
    """A grammar of a piece that is four times as busy as it began, whose notes begin with 5 to 7."""

    def busier(self) -> tuple[slice, float] | None:
        return (slice(5, 8), 4.0) if len(self.heard) % 2 else None


@pytest.mark.parametrize(("steadiness", "share"), [(0.0, 3 / 9), (1.0, 3 / 27), (2.0, 3 / 99)])
def test_the_busier_a_piece_has_become_the_less_likely_are_notes(steadiness: float, share: float) -> None:
    pieces = [Draft(np.random.default_rng(i), Hurried(400), np.array([SPEC.bos])) for i in range(10)]
    sample(Even({}), pieces, SPEC, longest=1000, sampling=Sampling(steadiness=steadiness))
    ids = np.array([draft.ids for draft in pieces])
    notes = (ids >= 5) & (ids < 8)
    assert notes[:, 1::2].mean() == pytest.approx(share, abs=0.025)
    assert notes[:, ::2].mean() == pytest.approx(3 / 9, abs=0.035)


def test_the_grammar_hears_each_new_id_and_is_obeyed() -> None:
    grammars = [Free(10), Free(25)]
    pieces = [Draft(np.random.default_rng(i), g, np.array([SPEC.bos])) for i, g in enumerate(grammars)]
    sample(Rote({}), pieces, SPEC, longest=1000)
    assert [len(d.ids) for d in pieces] == [10, 25]
    assert all(d.ended for d in pieces)
    assert [g.heard for g in grammars] == [d.ids for d in pieces]
    assert [d.acted["silence"] for d in pieces] == [d.ids.count(3) for d in pieces]


def test_a_piece_that_may_not_end_goes_on_and_is_not_asked_at_every_id() -> None:
    asked = []

    def may_end(ids: NDArray[np.int64]) -> bool:
        asked.append(len(ids))
        return len(ids) >= 40

    piece = drafts(1, may_end=may_end)[0]
    sample(Rote(dict.fromkeys(range(12), SPEC.eos)), [piece], SPEC, longest=1000)
    assert piece.ended
    assert 40 <= len(piece.ids) < 50
    assert asked == [0, 8, 16, 24, 32, 40]


def test_it_looks_up_now_and_then() -> None:
    looks = []
    piece = drafts(1)[0]
    sample(
        Rote({i: 3 + i % 9 for i in range(12)}), [piece], SPEC, longest=100, look=lambda: looks.append(len(piece.ids))
    )
    assert looks == [32, 64, 96]


# ---- the loop guard ----

CYCLE = {3: 4, 4: 5, 5: 6, 6: 3}


def period_of(ids: list[int], p: int) -> int:
    """The longest stretch in which every id is the one p before it, in ids."""
    longest = run = 0
    for i in range(p, len(ids)):
        run = run + 1 if ids[i] == ids[i - p] else 0
        longest = max(longest, run + p)
    return longest


@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0])
def test_a_model_that_loops_for_ever_is_brought_out_of_it(temperature: float) -> None:
    way = Sampling(temperature=temperature)
    free, guarded = drafts(1)[0], drafts(1)[0]
    stepper = {i: 3 + (i - 2) % 4 for i in range(12)}  # from wherever, back into 3 4 5 6
    sample(EndlessRote(stepper), [free], SPEC, longest=2000, sampling=way, guards=Guards(loop_repeats=0))
    sample(EndlessRote(stepper), [guarded], SPEC, longest=2000, sampling=way)
    assert period_of(free.ids, 4) > 1900
    assert free.acted["loop"] == 0
    assert period_of(guarded.ids, 4) <= 64 + 4 + 4, "64 allowed, one period more drawn warmly, then forbidden"
    assert guarded.acted["loop"] >= 10
    later = guarded.ids[1000:]
    assert period_of(later, 4) <= 32, "a loop that comes back is allowed less"


@given(st.integers(1, 40), st.integers(0, 2**16))
def test_a_passage_may_come_as_often_as_the_rule_says(period: int, seed: int) -> None:
    guards = Guards()
    passage = np.random.default_rng(seed).permutation(np.arange(100, 100 + period)).tolist()
    guard = LoopGuard(guards)
    heard = 0
    while not guard.acted:
        guard.advance(passage[heard % period])
        heard += 1
    assert heard == max(guards.loop_repeats * period, guards.loop_shortest)


@given(st.lists(st.integers(0, 3), min_size=30, max_size=120), st.integers(2, 4))
def test_the_counters_find_just_what_a_search_finds(ids: list[int], repeats: int) -> None:
    guards = Guards(loop_repeats=repeats, loop_shortest=4, loop_longest=20)
    guard = LoopGuard(guards)
    for i, id in enumerate(ids):
        before = guard.acted
        guard.advance(id)
        found = [
            p
            for p in range(1, 21)
            for stretch in [max(repeats * p, 4)]
            if i + 1 >= stretch and all(ids[j] == ids[j - p] for j in range(i + 1 - stretch + p, i + 1))
        ]
        assert bool(found) == (guard.acted > before), found
        if found:
            return


def test_forms_that_repeat_are_no_loops() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 40, 120).tolist(), rng.integers(0, 40, 120).tolist()
    bar = rng.integers(0, 40, 12).tolist()
    varied = [id for i in range(20) for id in [*bar[:-1], 50 + i]]  # an ostinato under a melody that moves
    for ids in (a + a + b + a, [*a, *a, *b, *b] * 2, bar * 5, [7] * 60, varied, (bar * 4 + b) * 4):
        guard = LoopGuard(Guards())
        for id in ids:
            guard.advance(id)
        assert guard.acted == 0


def test_the_guard_remembers_across_its_memory_and_forgives_in_time() -> None:
    guard = LoopGuard(Guards(loop_longest=16))
    rng = np.random.default_rng(2)
    for _ in range(3):
        for id in rng.integers(0, 1000, 200).tolist():  # more than its memory holds
            guard.advance(id)
        before = guard.acted
        for i in range(64):
            assert guard.acted == before
            guard.advance(3 + i % 2)
        assert guard.acted == before + 1


def test_a_guard_never_leaves_the_sampler_without_a_choice() -> None:
    guard = LoopGuard(Guards())
    for _ in range(100):
        guard.advance(5)
    only = np.arange(12) == 5
    mask, _ = guard.act(only, 1.0)
    assert mask.tolist() == only.tolist()
    mask, temperature = guard.act(np.ones(12, dtype=np.bool_), 0.0)
    assert not mask[5]
    assert mask.sum() == 11
    assert temperature > 1
    assert without(only, 5) is only


@pytest.mark.parametrize(
    "table", [{"loop_repeats": 1}, {"loop_repeats": -1}, {"loop_shortest": 0}, {"loop_longest": 0}]
)
def test_guards_that_cannot_be_are_refused(table: dict[str, Any]) -> None:
    with pytest.raises(InvalidSettings, match=next(iter(table))):
        from_table(Guards, table, "guards")


def test_temperatures_of_any_size_are_numbers() -> None:
    assert math.isfinite(float(probabilities(row(-1e30, 1e30), row(1, 1) > 0, Sampling(temperature=1e-30)).sum()))
