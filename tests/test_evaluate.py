"""Evaluating: a folder of pieces judged whole, what was copied found and named, one page needs nothing else."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from partimento.bundle import open_bundle
from partimento.cli import app
from partimento.codec import Request
from partimento.composing import Order, compose_again, compose_into
from partimento.errors import ImpossibleRequest, InvalidSettings, TooLittleMusic, Unreadable
from partimento.evaluating import Evaluation, evaluate
from partimento.evaluating.naming import named, read_names
from partimento.evaluating.report import lead, write_page
from partimento.evaluation.features import FEATURES, HISTOGRAMS, features
from partimento.evaluation.originality import TrainingIndex
from partimento.evaluation.ranking import place
from partimento.files import read, write
from partimento.guards import Guards
from partimento.recipes import recipe_named
from partimento.sampling import Sampling
from partimento.score import transpose
from partimento.training.index import INDEX
from partimento.training.runs import train

from music import tune, write_tunes

BARS = 12


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("evaluate")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(base / "cache"))
        write_tunes(base / "people", range(26), BARS)
        write_tunes(base / "made", range(100, 110), BARS)
        copied = read(base / "people" / "03.mid").score
        write(transpose(copied, 2), base / "made" / "stolen" / "copy.mid")
        (base / "made" / "broken.mid").write_bytes(b"MThd")
        (base / "made" / "100.json").write_text("{}")
        train(base / "people", base / "run", recipe_named("markov").override(["preparation.transpose=0"]))
    return {name: base / name for name in ("cache", "people", "made", "run")}


@pytest.fixture(autouse=True)
def cached(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folders["cache"]))


@pytest.fixture(scope="module")
def found(folders: dict[str, Path]) -> Evaluation:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folders["cache"]))
        return evaluate(folders["made"], folders["people"], model=folders["run"])


def test_every_piece_is_judged_and_what_cannot_be_read_is_said(found: Evaluation) -> None:
    told = found.to_json()
    assert [piece["path"] for piece in told["pieces"]] == sorted(found.scores)
    assert "stolen/copy.mid" in found.scores
    assert len(told["pieces"]) == 11
    assert [left["path"] for left in told["left_out"]] == ["broken.mid"]
    assert all(set(piece["metrics"]) == {feature.name for feature in FEATURES} for piece in told["pieces"])
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_a_copy_in_another_key_is_flagged_and_its_source_named(found: Evaluation) -> None:
    by_path = {piece["path"]: piece["originality"] for piece in found.to_json()["pieces"]}
    copy = by_path["stolen/copy.mid"]
    assert copy["flagged"] is True
    assert copy["source"] == "03.mid"
    assert copy["longest_copied_bars"] == pytest.approx(BARS, abs=1)
    assert copy["share_1bar"] == copy["share_4bar"] == 1.0
    assert sum(bool(one["flagged"]) for one in by_path.values()) == 1
    assert any("stolen/copy.mid" in sentence and "03.mid" in sentence for sentence in lead(found))


def test_the_summary_has_every_figure_and_rows_to_compare_with(found: Evaluation) -> None:
    summary = found.to_json()["summary"]
    assert set(summary["metrics"]) <= {f.name for f in FEATURES} | {h.name for h in HISTOGRAMS}
    for one in summary["metrics"].values():
        assert {"made", "like", "overlap", "divergence", "inside_human_interval"} <= set(one)
        assert one["overlap"] is None or 0 <= one["overlap"] <= 1
    assert set(summary["rows"]) == {"other human pieces", "Markov chain", "shuffled bars", "noise"}
    assert 0 <= summary["real_or_generated_auc"] <= 1
    assert (
        summary["rows"]["noise"]["inside_human_interval"]
        < summary["rows"]["other human pieces"]["inside_human_interval"]
    )
    assert summary["excerpt_bars"] == BARS
    assert summary["human_pieces"] == 26


def test_a_model_foretells_what_it_has_not_learnt_from(found: Evaluation, folders: dict[str, Path]) -> None:
    likelihood = found.to_json()["summary"]["likelihood"]
    facts = json.loads((folders["run"] / "bundle" / "facts.json").read_text())
    assert likelihood["kind"] == "exact"
    assert likelihood["known_to_be_unlearnt"] is True
    assert likelihood["pieces"] == facts["splits"]["test"]["pieces"]
    assert likelihood["bits_per_note"] == pytest.approx(facts["scores"]["test, bits per note"])
    assert likelihood["accuracy"] == pytest.approx(facts["scores"]["test, accuracy"])


def test_the_same_seed_finds_the_same(found: Evaluation, folders: dict[str, Path]) -> None:
    assert evaluate(folders["made"], folders["people"], model=folders["run"]).to_json() == found.to_json()


def test_a_run_knows_what_it_learnt_from_and_what_it_did_not(folders: dict[str, Path], tmp_path: Path) -> None:
    split = {p["path"]: p["split"] for p in json.loads((folders["run"] / "corpus.json").read_text())["kept"]}
    learnt, unlearnt = (next(path for path, of in split.items() if of == wanted) for wanted in ("train", "test"))
    for path in (learnt, unlearnt):
        (tmp_path / "again").mkdir(exist_ok=True)
        shutil.copy(folders["people"] / path, tmp_path / "again" / path)
    told = evaluate(tmp_path / "again", folders["people"], trained_on=folders["run"] / "bundle").to_json()
    flagged = {piece["path"]: piece["originality"]["flagged"] for piece in told["pieces"]}
    assert flagged == {learnt: True, unlearnt: False}
    (folders["run"] / INDEX).rename(folders["run"] / "away.npz")
    try:
        with pytest.raises(Unreadable, match="no index"):
            evaluate(tmp_path / "again", folders["people"], trained_on=folders["run"])
    finally:
        (folders["run"] / "away.npz").rename(folders["run"] / INDEX)


def test_another_folder_can_be_what_was_learnt_from(folders: dict[str, Path], tmp_path: Path) -> None:
    write(tune(100, bars=BARS), tmp_path / "learnt" / "a tune.mid")
    shutil.copy(folders["people"] / "03.mid", tmp_path / "learnt" / "one of people's.mid")
    told = evaluate(folders["made"], folders["people"], trained_on=tmp_path / "learnt").to_json()
    by_path = {piece["path"]: piece["originality"] for piece in told["pieces"]}
    assert by_path["100.mid"]["flagged"]
    assert by_path["100.mid"]["source"] == "a tune.mid"
    assert by_path["stolen/copy.mid"]["source"] == "one of people's.mid"


def test_pieces_and_their_sources_have_the_names_that_a_person_gave_them(
    found: Evaluation, folders: dict[str, Path], tmp_path: Path
) -> None:
    made, people = folders["made"], folders["people"]
    (tmp_path / "names.json").write_text(
        json.dumps({f"{made}/stolen/copy.mid": "Waltz", f"{people}/03.mid": "Old air", str(people): "Airs/and more"})
    )
    named_so = named(found, read_names(tmp_path / "names.json"))
    told = {piece["path"]: piece["originality"] for piece in named_so.to_json()["pieces"]}
    assert told["Waltz"]["source"] == "Old air"
    assert "100.mid" in told
    assert "human pieces of Airs-and more" in lead(named_so)[0]
    assert "most of all Waltz (" in " ".join(lead(named_so))
    with pytest.raises(InvalidSettings, match="two pieces one name"):
        named(found, {f"{made}/stolen/copy.mid": "Waltz", f"{made}/100.mid": "Waltz"})
    for wrong in ("[]", '{"a": 1}', "{", "\xff"):
        (tmp_path / "names.json").write_text(wrong, "latin-1")
        with pytest.raises(InvalidSettings, match="--names"):
            read_names(tmp_path / "names.json")


def test_one_piece_is_a_folder_of_one(folders: dict[str, Path]) -> None:
    made = evaluate(folders["made"] / "100.mid", folders["people"])
    assert [piece["path"] for piece in made.to_json()["pieces"]] == ["100.mid"]
    assert math.isnan(made.scorecard.made.realness.auc)
    assert any("Not enough pieces" in sentence for sentence in lead(made))


def test_the_page_is_one_file_with_everything_in_it(found: Evaluation, tmp_path: Path) -> None:
    write_page(found, tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text("utf-8")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    for attribute in ("src=", "href="):
        places = [part.split('"')[1] for part in html.split(attribute)[1:]]
        assert places or attribute == "href="
        assert all(place.startswith(("data:", "#")) for place in places)
    assert "http" not in re.sub(r'"data:[^"]*"', "", html).replace("http-equiv", "")
    assert "<audio" in html
    assert "stolen/copy.mid" in html


def test_what_cannot_be_judged_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(Unreadable, match="no piece of music"):
        evaluate(tmp_path / "empty", folders["people"])
    with pytest.raises(Unreadable, match="no folder"):
        evaluate(tmp_path / "nowhere", folders["people"])
    with pytest.raises(TooLittleMusic, match="no human piece"):
        evaluate(folders["made"], tmp_path / "empty")
    with pytest.raises(Unreadable, match="no music"):
        evaluate(folders["made"], folders["people"], trained_on=tmp_path / "empty")


def test_the_command_writes_and_says_what_it_found(
    folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", str(folders["made"]), "--like", str(folders["people"]), "--json", str(tmp_path / "e.json")]
    app(command, result_action="return_value")
    said = capsys.readouterr().out
    assert "Left out: broken.mid" in said
    assert "copy.mid" in said
    assert json.loads((tmp_path / "e.json").read_text())["summary"]["flagged"] == 1
    with pytest.raises(InvalidSettings, match="is a folder"):
        app([*command[:-1], str(tmp_path)], result_action="return_value")


def test_the_best_of_many_are_those_most_like_people(folders: dict[str, Path], tmp_path: Path) -> None:
    bundle = open_bundle(folders["run"])
    tables = {"n": 8, "seed": 5, "request": Request(bars=6), "sampling": Sampling(), "guards": Guards()}
    order = Order(**tables, prompt=np.empty(0, dtype=np.int64))  # type: ignore[arg-type]
    best = compose_into(tmp_path / "best", bundle, order, sound="none", best=3)
    every = compose_into(tmp_path / "every", bundle, order, sound="none")
    people = bundle.facts["human"]["figures"]
    places = {made.midi.name: place(features(read(made.midi).score), people).score for made in every}
    assert [made.midi.name for made in best] == sorted(places, key=lambda name: -places[name])[:3]
    assert sorted(file.name for file in (tmp_path / "best").glob("*.mid")) == sorted(made.midi.name for made in best)
    assert [made.remarks[-1].split(":")[0] for made in best] == [f"Ranked {rank} of 8" for rank in (1, 2, 3)]
    (chosen, *_) = best
    again = compose_again(chosen.midi, tmp_path / "again", sound="none")
    assert again.midi.read_bytes() == chosen.midi.read_bytes()
    with pytest.raises(ImpossibleRequest, match="best 9 of 8"):
        compose_into(tmp_path / "more", bundle, order, sound="none", best=9)
    unknown = dataclasses.replace(bundle, facts={name: v for name, v in bundle.facts.items() if name != "human"})
    with pytest.raises(ImpossibleRequest, match="does not say what people's pieces are like"):
        compose_into(tmp_path / "unknown", unknown, order, sound="none", best=1)
    assert not (tmp_path / "more").exists()
    assert not (tmp_path / "unknown").exists()


def test_a_run_composes_with_no_long_copies_and_makes_them_again(folders: dict[str, Path], tmp_path: Path) -> None:
    bundle = open_bundle(folders["run"])
    tables = {"n": 3, "seed": 1, "request": Request(bars=6), "sampling": Sampling(), "guards": Guards()}
    order = Order(**tables, prompt=np.empty(0, dtype=np.int64), max_copied=1.5)  # type: ignore[arg-type]
    made = compose_into(tmp_path / "made", bundle, order, sound="none")
    index = TrainingIndex.load(folders["run"] / INDEX)
    for piece in made:
        longest = index.judge(read(piece.midi).score).longest
        assert longest is None or longest.bars <= 1.5 or any("still shares" in remark for remark in piece.remarks)
    again = compose_again(made[-1].midi, tmp_path / "again", sound="none")
    assert again.midi.read_bytes() == made[-1].midi.read_bytes()
    shutil.copytree(bundle.folder, tmp_path / "alone" / "bundle")
    with pytest.raises(ImpossibleRequest, match="a bundle alone"):
        compose_into(tmp_path / "more", open_bundle(tmp_path / "alone" / "bundle"), order, sound="none")
