from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import partimento.bundle
from partimento import generation
from partimento.bundle import Bundle
from partimento.codec import Request
from partimento.errors import ImpossibleRequest, InvalidBundle
from partimento.generation import Made, generate, open_player
from partimento.progress import Progress
from partimento.sampling import Sampling
from partimento.score import Score, end_tick, note_array

from little import REST, SPEC, Crotchets, tune, write_little_bundle


@pytest.fixture(autouse=True)
def _crotchets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partimento.bundle, "codec_named", {"crotchets": Crotchets}.__getitem__)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bundle]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partimento.bundle, "codec_named", {"crotchets": Crotchets}.__getitem__)
        yield write_little_bundle(tmp_path_factory.mktemp("bundles") / "model")


def biased(tmp_path: Path, recipe: dict[str, Any] | None = None, **bias: float) -> Bundle:
    ids = {"eos": SPEC.eos, "rest": REST, "c": 3}
    return write_little_bundle(tmp_path / "biased", recipe, bias={ids[name]: value for name, value in bias.items()})


def music(made: list[Made]) -> list[list[int]]:
    return [piece.encoded.tolist() for piece in made]


def test_the_same_seed_gives_the_same_music(bundle: Bundle) -> None:
    one, two, other = (list(generate(bundle, n=4, seed=seed)) for seed in (3, 3, 4))
    assert music(one) == music(two)
    assert music(one) != music(other)
    assert len({tuple(ids) for ids in music(one)}) == 4
    assert [piece.index for piece in one] == [0, 1, 2, 3]
    assert [p.score.dumps_midi() for p in one] == [p.score.dumps_midi() for p in two]


def test_more_pieces_than_go_side_by_side_all_come_in_order(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    together = list(generate(bundle, n=7, request=Request(bars=3)))
    monkeypatch.setattr(generation.requests, "SIDE_BY_SIDE", 3)
    made = list(generate(bundle, n=7, request=Request(bars=3)))
    assert [piece.index for piece in made] == list(range(7))
    assert music(made) == music(together), "each piece draws from its own seed"


def test_what_is_asked_for_is_what_is_made(bundle: Bundle) -> None:
    for piece in generate(bundle, n=3, request=Request(bars=6)):
        assert len(piece.encoded) == 24
        assert piece.notes == piece.score.note_num() == np.count_nonzero(piece.encoded != REST)
    for piece in generate(bundle, n=3, request=Request(notes=17)):
        assert piece.notes == 17
    for piece in generate(bundle, n=3, request=Request(seconds=20.0)):
        assert piece.seconds <= 20
        assert len(piece.encoded) == 40


def test_a_piece_of_which_nothing_is_asked_has_some_bars_at_least(tmp_path: Path) -> None:
    bundle = biased(tmp_path, eos=6.0)
    made = list(generate(bundle, n=8))
    assert all(len(piece.encoded) > 12 for piece in made)
    assert all(len(piece.encoded) < 100 for piece in made)
    assert not any(piece.remarks for piece in made)


def test_a_piece_that_never_ends_is_cut_and_says_so(tmp_path: Path) -> None:
    bundle = biased(tmp_path, eos=-1000.0)
    (piece,) = generate(bundle)
    assert 240 <= piece.seconds <= 240 + 64 + 4, "asked every 128 crotchets"
    assert "It had not ended after 4 minutes and was cut soon after." in piece.remarks


def test_what_a_request_needs_too_many_ids_for_is_cut_and_says_so(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation.ids, "IDS_ALWAYS", 0)
    monkeypatch.setattr(generation.ids, "IDS_PER", {"bars": 2})
    (piece,) = generate(bundle, request=Request(bars=5))
    assert len(piece.encoded) == 10
    assert piece.remarks == ("It was cut after 10 tokens, before it had the bars asked for.",)


def test_the_recipe_says_how_to_sample_unless_the_caller_does(tmp_path: Path) -> None:
    recipe = {"codec": {"ticks": 4}, "sampling": {"temperature": 0.0}}
    bundle = biased(tmp_path, recipe)
    cold = list(generate(bundle, n=2, request=Request(bars=4)))
    assert music(cold)[0] == music(cold)[1]
    warm = list(generate(bundle, n=2, request=Request(bars=4), sampling=Sampling()))
    assert music(warm)[0] != music(warm)[1]


def test_guards_say_when_they_acted(tmp_path: Path) -> None:
    stuck = biased(tmp_path, c=40.0)
    (piece,) = generate(stuck, request=Request(notes=200))
    assert any(remark.startswith("The loop guard acted") for remark in piece.remarks)
    silent = biased(tmp_path, rest=40.0)
    (piece,) = generate(silent, request=Request(bars=10))
    assert any(remark.startswith("The silence guard acted") for remark in piece.remarks)
    assert piece.notes


def test_a_piece_without_notes_is_tried_again_and_never_passes_in_silence(
    tmp_path: Path,
) -> None:
    restful = biased(tmp_path, rest=7.0)
    made = list(generate(restful, n=40, request=Request(bars=1)))
    tried = [p for p in made if "It came without a note at first and was tried 2 times." in p.remarks]
    assert tried
    assert all(p.notes for p in tried)
    mute = biased(tmp_path, rest=1000.0)
    (piece,) = generate(mute, request=Request(bars=1))
    assert piece.notes == 0
    assert piece.remarks == ("It has no notes, though it was tried 4 times.",)


# ---- prompts ----


def test_new_music_goes_on_from_the_prompt(bundle: Bundle) -> None:
    prompt = tune(60, 62, 64, 65, 67, None, 69, 67)
    (piece,) = generate(bundle, prompt=prompt, request=Request(bars=3))
    assert len(piece.encoded) == 12
    assert note_array(piece.score)["pitch"][:7].tolist() == [60, 62, 64, 65, 67, 69, 67]
    assert piece.notes == piece.score.note_num() - 7
    assert 8 * 4 <= piece.begins < end_tick(piece.score)
    assert piece.begins_bar == piece.begins // 16 + 1 >= 3
    assert piece.seconds == pytest.approx((end_tick(piece.score) - piece.begins) / 4 * 0.5)
    assert note_array(piece.new())["onset"][0] == 0
    assert piece.new().note_num() == piece.notes


def test_the_model_hears_the_prompt(bundle: Bundle) -> None:
    way = Sampling(temperature=0.0)
    made = [
        music(list(generate(bundle, prompt=tune(*pitches), request=Request(bars=2), sampling=way)))
        for pitches in ([60, 62, 64, 65], [60, 62, 64, 65], [71, 72, 74, 79])
    ]
    assert made[0] == made[1] != made[2]


def test_ids_can_be_a_prompt_with_or_without_their_marks(bundle: Bundle) -> None:
    ids = Crotchets(Crotchets.Settings()).encode(tune(60, 62, 64, 65))
    marked = np.concatenate([[SPEC.bos], ids, [SPEC.eos]])
    made = [
        list(generate(bundle, prompt=prompt, request=Request(bars=2))) for prompt in (ids, marked, tune(60, 62, 64, 65))
    ]
    assert music(made[0]) == music(made[1]) == music(made[2])


def test_a_long_prompt_is_heard_from_its_end_and_kept_whole(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation.ids, "PROMPT_HEARD", 8)
    pitches = np.random.default_rng(0).integers(60, 84, 42).tolist()
    (piece,) = generate(bundle, prompt=tune(*pitches), request=Request(bars=2))
    assert note_array(piece.score)["pitch"][:42].tolist() == pitches
    assert "The prompt is long: the model heard its last 8 of 42 tokens." in piece.remarks
    (same,) = generate(bundle, prompt=tune(*pitches[2:]), request=Request(bars=2))
    assert same.encoded.tolist() == piece.encoded.tolist(), "what it does not hear is of no account"


def test_what_the_codec_cannot_say_of_a_prompt_is_said(bundle: Bundle) -> None:
    prompt = tune(60, 30, 64, 65)
    prompt.tracks.append(tune(None, 72, program=40).tracks[0])
    (piece,) = generate(bundle, prompt=prompt, request=Request(bars=2))
    assert "The model's codec cannot say 1 of the prompt's 5 notes." in piece.remarks
    assert any("program 41" in remark for remark in piece.remarks)


@pytest.mark.parametrize("prompt", [Score(480), tune(20, 21), np.array([], np.int64), np.array([SPEC.bos, REST])])
def test_a_prompt_of_nothing_is_refused(bundle: Bundle, prompt: Any) -> None:
    with pytest.raises(ImpossibleRequest, match="prompt"):
        generate(bundle, prompt=prompt)


@pytest.mark.parametrize("prompt", [np.array([5, -1]), np.array([5, SPEC.vocab_size]), np.array([[5]])])
def test_a_prompt_of_foreign_ids_is_refused(bundle: Bundle, prompt: Any) -> None:
    with pytest.raises(ImpossibleRequest, match="ids"):
        generate(bundle, prompt=prompt)


# ---- what is refused ----


@pytest.mark.parametrize(
    ("request_", "n", "seed"),
    [
        (Request(bars=1_000_000), 1, 0),
        (Request(seconds=1e9), 1, 0),
        (Request(notes=10**9), 1, 0),
        (Request(bars=1500), 1, 0),  # the grammar refuses
        (Request(), 0, 0),
        (Request(), 10**9, 0),
        (Request(), 1, -1),
    ],
)
def test_the_impossible_is_refused_before_anything_is_sampled(
    bundle: Bundle, request_: Request, n: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "open_player", lambda *_: pytest.fail("the player was opened"))
    with pytest.raises(ImpossibleRequest):
        generate(bundle, request=request_, n=n, seed=seed)


def test_a_codec_that_cannot_count_is_asked_for_no_length(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Crotchets, "grammar", lambda self: None)
    with pytest.raises(ImpossibleRequest, match="cannot count bars"):
        generate(bundle, request=Request(bars=4))
    (piece,) = generate(bundle)
    assert piece.notes
    assert not set(piece.encoded.tolist()) & {SPEC.pad, SPEC.bos, SPEC.eos}


def test_a_model_of_another_vocabulary_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    foreign = write_little_bundle(tmp_path / "foreign", vocab_size=SPEC.vocab_size + 1)
    with pytest.raises(InvalidBundle, match="do not belong together"):
        list(generate(foreign))


@pytest.mark.parametrize("name", ["flute", "../step", "os", "step.py", "__init__"])
def test_a_player_that_there_is_not_is_refused(tmp_path: Path, name: str) -> None:
    made = write_little_bundle(tmp_path / "model")
    with pytest.raises(InvalidBundle, match="pip install --upgrade"):
        open_player(Bundle(**{**vars(made), "player_name": name}))


def test_a_model_of_nans_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidBundle, match="not numbers"):
        list(generate(biased(tmp_path, c=float("nan"))))


# ---- progress ----


@pytest.mark.parametrize(
    ("request_", "unit", "total"),
    [(Request(bars=20), "bars", 60), (Request(notes=100), "notes", 300), (Request(), "notes", None)],
)
def test_progress_is_told_in_the_unit_of_the_request(
    bundle: Bundle, request_: Request, unit: str, total: float | None
) -> None:
    events: list[Progress] = []
    made = list(generate(bundle, request=request_, n=3, watch=events.append))
    assert {(e.job, e.unit, e.total) for e in events} == {("Composing", unit, total)}
    done = [e.done for e in events]
    assert done == sorted(done)
    assert done[-1] == (
        total if unit == "notes" and total else pytest.approx(total or sum(p.notes for p in made), abs=9)
    )


def test_remarks_are_told_as_they_come(tmp_path: Path) -> None:
    events: list[Progress] = []
    (piece,) = generate(biased(tmp_path, c=40.0), request=Request(notes=200), watch=events.append)
    assert [e.remark for e in events if e.remark] == [f"Piece 1: {remark}" for remark in piece.remarks]


def test_listening_changes_nothing(bundle: Bundle) -> None:
    quiet = list(generate(bundle, n=3, seed=9))
    told = list(generate(bundle, n=3, seed=9, watch=lambda e: json.dumps([dict(e.facts), e.heard and len(e.heard())])))
    assert music(quiet) == music(told)
