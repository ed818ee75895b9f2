"""The studio: what it answers, and that nothing is lost, whatever is sent and however it dies."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import time
import types
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from symusic.core import PedalTick as Pedal

from partimento.errors import ImpossibleRequest
from partimento.files import read_bytes, to_bytes
from partimento.recipes import presets, recipe_named
from partimento.score import Note, Score, Track
from partimento.studio import forms, scores
from partimento.studio.dropped import clean, unpacked
from partimento.studio.orders.learning import Train
from partimento.studio.places import Places
from partimento.studio.scores import EditedTrack
from partimento.studio.studio import Studio

from music import tune
from visitor import Serving, Visitor, serving

TINY = {
    "training.updates": 40,
    "training.length": 64,
    "training.batch": 4,
    "model.stack": ["cell 16"],
    "preparation.transpose": 0,
}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("studio") / "kept") as made:
        yield made


@pytest.fixture(scope="module")
def visitor(studio: Serving) -> Visitor:
    return studio.visitor()


@pytest.fixture(scope="module")
def corpus(visitor: Visitor) -> dict[str, Any]:
    made = visitor.post("corpora", {"name": "Tunes & more"})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for seed in range(10):
            archive.writestr(f"set one/tune {seed}.mid", to_bytes(tune(seed, bars=16)))
        archive.writestr("__MACOSX/._tune 1.mid", b"junk")
        archive.writestr("../../evil.mid", to_bytes(tune(10, bars=16)))
        archive.writestr("inner.zip", b"PK")
        archive.writestr("notes.txt", b"not music")
    found = visitor.upload(f"corpora/{made['id']}/files", "songs.zip", packed.getvalue())
    assert found["added"] == 11
    assert sorted(line.split(":")[0] for line in found["refused"]) == ["inner.zip", "notes.txt"]
    assert visitor.upload(f"corpora/{made['id']}/files", "broken.mid", b"MThd\x00\x00")["added"] == 1
    assert visitor.upload(f"corpora/{made['id']}/files", "tune 11.mid", to_bytes(tune(11, bars=16)))["added"] == 1
    visitor.does("inspect", corpus=made["id"])
    return visitor.get(f"corpora/{made['id']}")


@pytest.fixture(scope="module")
def piece(visitor: Visitor) -> dict[str, Any]:
    return visitor.upload("pieces", "My tune.mid", to_bytes(tune(3, bars=8)))


def test_the_doctor_says_what_serves_and_why_not(corpus: dict[str, Any], studio: Serving) -> None:
    assert (corpus["files"], corpus["pieces"]) == (13, 12)
    by_name = {file["name"]: file for file in corpus["list"]}
    assert "evil.mid" in by_name
    assert by_name["broken.mid"]["verdict"] == "left out"
    assert by_name["broken.mid"]["reason"]
    served = by_name["set one/tune 3.mid"]
    assert served["verdict"] == "serves"
    assert served["notes"] == tune(3, bars=16).note_num()
    assert corpus["statistics"]["kept"] == 12
    names = [path.name for path in studio.folder.rglob("*") if path.suffix == ".mid"]
    assert all(name.split(".")[0].isalnum() for name in names)  # what a person named never is a path


def test_what_is_left_out_by_hand_is_out_of_everything(visitor: Visitor, corpus: dict[str, Any]) -> None:
    id = corpus["id"]
    assert visitor.ask("PUT", f"/api/corpora/{id}/left-out", {"numbers": [2, 3]})[0] == 200
    visitor.does("inspect", corpus=id)
    found = visitor.get(f"corpora/{id}")
    assert (found["files"], found["pieces"], found["left_out_by_hand"]) == (13, 10, 2)
    assert [file["number"] for file in found["list"] if file["left_out"]] == [2, 3]
    assert visitor.ask("PUT", f"/api/corpora/{id}/left-out", {"numbers": []})[0] == 200
    visitor.does("inspect", corpus=id)
    assert visitor.get(f"corpora/{id}")["pieces"] == 12


def test_a_piece_of_a_corpus_can_be_looked_at(visitor: Visitor, corpus: dict[str, Any]) -> None:
    number = next(file["number"] for file in corpus["list"] if file["name"] == "set one/tune 3.mid")
    score = visitor.get(f"corpora/{corpus['id']}/files/{number}/score")
    assert sum(len(track["notes"]) for track in score["tracks"]) == tune(3, bars=16).note_num()
    assert len(score["bars"]) == 17


def test_it_composes_what_is_asked(visitor: Visitor) -> None:
    done = visitor.does("compose", bars=4, instruments="violin,cello", seed=3)
    (id,) = done["pieces"]
    piece, score = visitor.get(f"pieces/{id}"), visitor.get(f"pieces/{id}/score")
    assert piece["bars"] == 4
    assert [track["program"] for track in score["tracks"]] == [40, 42]
    assert piece["name"].startswith("Piece ")
    again = visitor.does("compose", bars=4, instruments="violin,cello", seed=3)
    assert visitor.get(f"pieces/{again['pieces'][0]}/score") == score


def test_filling_leaves_every_other_note(visitor: Visitor, piece: dict[str, Any]) -> None:
    done = visitor.does("fill", piece=piece["id"], bars={"first": 3, "last": 4}, seed=1)
    filled = visitor.get(f"pieces/{done['pieces'][0]}")
    assert (filled["from"], filled["name"]) == (piece["id"], "My tune, filled")
    before, after = (visitor.get(f"pieces/{id}/score") for id in (piece["id"], filled["id"]))
    first, last = (edge / before["quarter"] for edge in (before["bars"][2], before["bars"][4]))
    fresh = {tuple(place) for place in after["fresh"]}
    assert fresh

    def outside(score: dict[str, Any]) -> list[tuple[float, int]]:
        notes = [(note[0] / score["quarter"], note[2]) for track in score["tracks"] for note in track["notes"]]
        return sorted(note for note in notes if not first <= note[0] < last)

    assert outside(before) == outside(after)
    for track, number in fresh:
        assert first <= after["tracks"][track]["notes"][number][0] / after["quarter"] < last


def test_every_mode_of_the_model_that_comes_along(visitor: Visitor, piece: dict[str, Any]) -> None:
    id = piece["id"]
    assert visitor.get(f"pieces/{visitor.does('compose', prompt=id, prompt_bars=2, bars=2)['pieces'][0]}")["bars"] >= 3
    on = visitor.get(f"pieces/{visitor.does('compose', prompt=id, prompt_bars=2, bars=2, seed=5)['pieces'][0]}/score")
    since = on["bars"][2]
    fresh = {tuple(place) for place in on["fresh"]}
    for track, kept in enumerate(on["tracks"]):
        assert all((note[0] >= since) == ((track, number) in fresh) for number, note in enumerate(kept["notes"]))
    for kind, asked in {
        "vary": {"share": 0.3},
        "accompany": {"instruments": "bass"},
        "harmonise": {"instruments": "piano", "chords": "C G"},
    }.items():
        (made,) = visitor.does(kind, piece=id, **asked)["pieces"]
        assert visitor.get(f"pieces/{made}/score")["fresh"], kind


def test_a_piece_comes_as_every_file(visitor: Visitor, piece: dict[str, Any]) -> None:
    heads = {
        "mid": b"MThd",
        "wav": b"RIFF",
        "mp3": b"",
        "svg": b"<",
        "png": b"\x89PNG",
        "pdf": b"%PDF",
        "musicxml": b"<",
    }
    for format, head in heads.items():
        status, headers, data = visitor.ask("GET", f"/api/pieces/{piece['id']}/file?format={format}")
        assert status == 200, format
        assert data.startswith(head)
        assert len(data) > 300
        assert "My%20tune" in headers["content-disposition"] or "My tune" in headers["content-disposition"]
    data = visitor.ask("GET", f"/api/pieces/{piece['id']}/file?format=mid")[2]
    assert read_bytes(data, "midi").score.note_num() == piece["notes"]


def test_an_edited_piece_has_the_notes_that_were_sent(visitor: Visitor, piece: dict[str, Any]) -> None:
    score = visitor.get(f"pieces/{piece['id']}/score")
    track = {**score["tracks"][0], "notes": [[0, 24, 60, 80], [24, 48, 64, 127]]}
    drums = {"name": "Drums", "program": 0, "drums": True, "notes": [[0, 12, 36, 100]]}
    made = visitor.post(f"pieces/{piece['id']}/edited", {"name": "edited", "tracks": [track, drums]})
    found = visitor.get(f"pieces/{made['id']}/score")
    assert [track["notes"] for track in found["tracks"]] == [track["notes"], drums["notes"]]
    assert found["tracks"][1]["drums"]
    assert found["metres"] == score["metres"]
    assert found["quarter"] == score["quarter"]
    sheet = f"/api/pieces/{made['id']}/file?format=musicxml"
    assert b"edited" in visitor.ask("GET", sheet)[2]
    status, _, data = visitor.ask("PATCH", f"/api/pieces/{made['id']}", {"name": "Called otherwise"})
    assert b"Called otherwise" in visitor.ask("GET", sheet)[2]
    assert (status, json.loads(data)["name"]) == (200, "Called otherwise")
    assert visitor.get(f"pieces/{made['id']}")["name"] == "Called otherwise"
    far = {"name": "far", "tracks": [{**track, "notes": [[0, 24, 60, 80], [2**28, 24, 60, 80]]}]}
    assert "far beyond" in visitor.refused("POST", f"pieces/{piece['id']}/edited", far, 409)
    for wrong in ([[0, 0, 60, 80]], [[0, 1, 128, 80]], [[-1, 1, 60, 80]], [[0, 1, 60]], [[0, 1, 60, 0]]):
        body = {"name": "edited", "tracks": [{**track, "notes": wrong}]}
        assert "tracks.0.notes" in visitor.refused("POST", f"pieces/{piece['id']}/edited", body, 422)


def test_a_track_that_goes_takes_its_pedals_along() -> None:
    score = Score(24)
    for number in range(2):
        track = Track(f"{number}", 0)
        track.notes.extend(Note(24 * beat, 24, 60 + 5 * number, 80) for beat in range(4))
        track.pedals.append(Pedal(number, 10))
        score.tracks.append(track)
    sent = [EditedTrack(name="kept", notes=[(24 * beat, 24, 65, 80) for beat in range(3)])]
    (kept,) = scores.edited(score, sent).tracks
    assert [pedal.time for pedal in kept.pedals] == [1]
    assert len(score.tracks) == 2


@pytest.mark.parametrize("name", presets())
def test_what_a_form_holds_can_be_sent_as_it_is(name: str) -> None:
    settings = {one["name"]: one["value"] for one in forms.form(name)["settings"] if one["type"] != "other"}
    recipe = recipe_named(name)
    sent = recipe.override(Train(corpus="0" * 12, settings=settings).overrides())
    assert {**sent.settings, "plan": None} == {**recipe.settings, "plan": None}  # what is set by hand is not planned


def test_a_run_can_be_watched_heard_and_composed_with(visitor: Visitor, corpus: dict[str, Any]) -> None:
    run = visitor.does("train", corpus=corpus["id"], recipe="lstm", settings=TINY, name="Mine")
    assert run["model"] == run["id"]
    assert len(visitor.get(f"jobs/{run['id']}/curves")) > 3
    (mine,) = [model for model in visitor.get("models") if model["id"] == run["id"]]
    assert mine["name"] == "Mine"
    assert not mine["modes"]["compose"]
    assert "nested" in mine["modes"]["fill"]
    composed = visitor.does("compose", model=run["id"], bars=2)
    assert visitor.get(f"pieces/{composed['pieces'][0]}")["bars"] == 2
    heard = visitor.does("audition", run=run["id"], bars=2)
    assert len(heard["pieces"]) >= 1
    assert (
        "report.html"
        in visitor.does("evaluate", pieces=composed["pieces"], like=corpus["id"], model="shipped")["files"]
    )
    judged = visitor.does("evaluate", pieces=composed["pieces"], like=corpus["id"], model=run["id"])
    assert "report.html" in judged["files"]
    status, headers, page = visitor.ask("GET", f"/api/jobs/{judged['id']}/files/report.html")
    assert status == 200
    assert b"<html" in page.lower()
    name = visitor.get(f"pieces/{composed['pieces'][0]}")["name"]
    assert f"How good and how new: {name}" in page.decode()
    assert b"human pieces of Tunes &amp; more" in page
    assert b"0001.mid" not in page
    assert "sandbox" in headers["content-security-policy"]


def test_a_model_is_shrunk_and_pieces_between_two_are_made(
    visitor: Visitor, corpus: dict[str, Any], piece: dict[str, Any]
) -> None:
    small = {
        "model.encoder": 16,
        "model.conductor": 16,
        "model.decoder": 16,
        "plan.most_passes": 1,
        "training.batch": 4,
    }
    run = visitor.does("train", corpus=corpus["id"], recipe="vae", settings=small, minutes=0.1)
    other = visitor.upload("pieces", "Another.mid", to_bytes(tune(4, bars=8)))
    asked = {"first": piece["id"], "second": other["id"], "model": run["id"], "steps": 3}
    made = visitor.done(visitor.post("jobs/interpolate", asked))
    assert made["pieces"] or "has no notes" in made["why"]
    lstm = visitor.does("train", corpus=corpus["id"], recipe="lstm", settings=TINY)
    shrunk = visitor.does("shrink", model=lstm["id"])
    assert "bits a note instead of" in shrunk["remarks"][-1]
    told = {model["id"]: model["modes"] for model in visitor.get("models")}
    assert not told[run["id"]]["interpolate"]
    assert [bool(told[id]["shrink"]) for id in (run["id"], lstm["id"], shrunk["id"])] == [True, False, True]
    composed = visitor.done(visitor.post("jobs/compose", {"model": shrunk["id"], "bars": 2, "n": 4}))
    assert composed["pieces"] or "has no notes" in composed["why"]  # it has learnt for seconds
    refused = visitor.done(
        visitor.post("jobs/interpolate", {"first": piece["id"], "second": other["id"], "model": "shipped"})
    )
    assert "no space in which pieces lie" in refused["why"]


def test_a_run_at_work_is_heard_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def told() -> list[dict[str, Any]]:
        studio = Studio(tmp_path)
        corpus = studio.corpora.new("mine")["id"]
        order = Train(corpus=corpus)
        row = studio.shelves.there("jobs", (await studio.start(order, "me"))["id"])
        points = studio.places.job(row["id"]) / "run" / "training" / "checkpoints"
        points.mkdir(parents=True)
        for second in range(0, 300, 10):
            clock = types.SimpleNamespace(monotonic=lambda now=second: float(now))
            monkeypatch.setattr("partimento.studio.studio.time", clock)
            if second % 100 == 0:
                (points / f"{second:07d}.safetensors").touch()
            studio.far(row, order, {"job": "Training"})
            studio.far(row, Train(corpus=corpus, heard=False), {"job": "Training"})
            studio.far(row, order, {"job": "Planning"})
            await asyncio.sleep(0.05)
            for asked in studio.shelves.all("jobs", kind="audition", state="waiting"):
                studio.shelves.change("jobs", {"state": "done"}, id=asked["id"])
        found = studio.shelves.all("jobs", kind="audition")
        await studio.close()
        return found

    asked = [job["asked"] for job in asyncio.run(told())]
    assert len(asked) == 3  # of three checkpoints in five minutes, each once
    assert all(one["last"] == 1 for one in asked)


def test_a_job_that_cannot_be_done_says_why(visitor: Visitor, corpus: dict[str, Any], piece: dict[str, Any]) -> None:
    failed = visitor.done(visitor.post("jobs/compose", {"bars": 3, "form": "AB"}))
    assert failed["state"] == "failed"
    assert failed["why"].endswith(".")
    assert visitor.refused("POST", "jobs/fill", {"piece": "0" * 12}, 404)
    assert visitor.refused("POST", "jobs/fill", {"piece": "../../etc"}, 422).startswith("piece: ")
    assert "n: input should be" in visitor.refused("POST", "jobs/compose", {"n": 0}, 422)
    assert "bogus" in visitor.refused("POST", "jobs/compose", {"bogus": 0}, 422)
    again = visitor.post(f"jobs/{failed['id']}/resume")
    assert visitor.done(again)["state"] == "failed"
    assert visitor.ask("DELETE", f"/api/jobs/{failed['id']}")[0] == 204
    assert visitor.refused("GET", f"jobs/{failed['id']}", status=404)


def test_what_happens_is_told(studio: Serving, visitor: Visitor) -> None:
    events = visitor.events(60)
    job: dict[str, Any] = {}
    states: list[str] = []
    pieces: list[str] = []
    other = studio.visitor("another")
    notes: list[dict[str, Any]] = []
    job = other.post("jobs/compose", {"bars": 8, "instruments": "piano,cello"})
    for kind, what in events:
        if kind == "job" and what["id"] == job["id"]:
            states.append(what["state"])
            if what["state"] == "done":
                break
        elif kind == "note" and what["job"] == job["id"]:
            notes.append(what["note"])
        elif kind == "piece":
            pieces.append(what["id"])
    assert states[-1] == "done"
    assert "running" in states
    assert pieces == visitor.get(f"jobs/{job['id']}")["pieces"]
    score = visitor.get(f"pieces/{pieces[0]}/score")
    made = {(note[0] / score["quarter"], note[2]) for track in score["tracks"] for note in track["notes"]}
    told = [(note["onset"], note["pitch"]) for note in notes]  # while it was written
    assert len(told) > len(made) / 3
    assert sum(note in made for note in told) > 0.9 * len(told)


def test_a_training_is_paused_and_goes_on(visitor: Visitor, corpus: dict[str, Any]) -> None:
    settings = {**TINY, "training.updates": 3000, "training.patience": None}
    job = visitor.post("jobs/train", {"corpus": corpus["id"], "recipe": "lstm", "settings": settings})

    def training(found: dict[str, Any]) -> bool:
        progress = found["progress"]
        return bool(progress and progress["job"] == "Training" and 30 < progress["done"] < 2500)

    visitor.when(lambda: visitor.get(f"jobs/{job['id']}"), training)
    assert visitor.post(f"jobs/{job['id']}/pause")["ending"]
    paused = visitor.done(job, until=("paused",))
    visitor.when(lambda: visitor.get(f"jobs/{job['id']}"), lambda found: not found["ending"])
    rows = len(visitor.get(f"jobs/{job['id']}/curves"))
    assert paused["why"] == ""
    visitor.post(f"jobs/{job['id']}/resume")
    first = visitor.when(lambda: visitor.get(f"jobs/{job['id']}"), training)
    assert first["progress"]["done"] >= paused["progress"]["done"]
    visitor.post(f"jobs/{job['id']}/stop")
    assert visitor.done(job)["state"] == "stopped"
    assert len(visitor.get(f"jobs/{job['id']}/curves")) >= rows


def test_what_a_run_cannot_be_is_refused_before_it_waits(visitor: Visitor, corpus: dict[str, Any]) -> None:
    asked = {"corpus": corpus["id"], "recipe": "lstm", "settings": {"request.key": "H flat"}}
    assert "'H flat' is no key" in visitor.refused("POST", "jobs/train", asked, 409)
    asked = {"corpus": corpus["id"], "model": "shipped", "settings": {"training.nothing": 1}}
    assert "nothing" in visitor.refused("POST", "jobs/train", asked, 422)
    assert visitor.refused("POST", "jobs/compose", {"form": "ABC9"}, 422) == (
        "form: a form is a letter for each section, such as AABA."
    )


def test_a_report_is_made_of_pieces_that_are_gone(visitor: Visitor, corpus: dict[str, Any]) -> None:
    first = visitor.upload("pieces", "First.mid", to_bytes(tune(7, bars=8)))
    look = visitor.post("jobs/evaluate", {"pieces": [first["id"]], "like": corpus["id"]})
    asked = visitor.post("jobs/evaluate", {"pieces": [first["id"]], "like": corpus["id"]})
    assert visitor.ask("DELETE", f"/api/pieces/{first['id']}")[0] == 204
    for job in (look, asked):
        assert visitor.done(job)["state"] == "done"


def test_a_model_in_use_is_not_deleted(visitor: Visitor, corpus: dict[str, Any]) -> None:
    run = visitor.does("train", corpus=corpus["id"], recipe="lstm", settings=TINY)
    jobs = [visitor.post("jobs/compose", {"model": run["id"], "bars": 8, "n": 8, "seed": seed}) for seed in range(3)]
    assert "works with the model" in visitor.refused("DELETE", f"jobs/{run['id']}", status=409)
    for job in jobs:
        visitor.done(job)
    assert visitor.ask("DELETE", f"/api/jobs/{run['id']}")[0] == 204
    assert run["id"] not in {model["id"] for model in visitor.get("models")}


def test_an_edited_piece_is_as_long_as_its_file(visitor: Visitor, piece: dict[str, Any]) -> None:
    track = {"name": "far", "program": 0, "drums": False, "notes": [[0, 480, 60, 80], [100, 2**28, 64, 80]]}
    edited = visitor.post(f"pieces/{piece['id']}/edited", {"name": "far", "tracks": [track]})
    told = visitor.get(f"pieces/{edited['id']}/score")
    assert edited["bars"] == len(told["bars"]) - 1
    assert edited["seconds"] < 10_000


def test_a_piece_of_many_tracks_with_drums_is_kept(visitor: Visitor) -> None:
    score = Score(480)
    for number in range(16):
        score.tracks.append(Track(f"{number}", number, number == 15))
        score.tracks[number].notes.append(Note(0, 480, 40 + number, 80))
    kept = visitor.upload("pieces", "Many.mid", to_bytes(score))
    assert kept["notes"] == 16


@pytest.mark.parametrize(
    ("sent", "kept"), [("a\u0001b\u202ec", "abc"), (" tune ", "tune"), ("👩\u200d🎤", "👩\u200d🎤")]
)
def test_of_a_name_is_kept_what_can_be_seen(visitor: Visitor, sent: str, kept: str) -> None:
    assert visitor.post("corpora", {"name": sent})["name"] == kept
    assert "can be seen" in visitor.refused("POST", "corpora", {"name": "\u0000 "}, 422)


def test_a_damaged_list_is_told_of_and_what_it_listed_is_kept(tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.piece("0" * 12).mkdir(parents=True)
    (places.piece("0" * 12) / "piece.mid").write_bytes(to_bytes(tune(1)))
    places.shelves.write_bytes(b"no list at all" * 400)
    with pytest.raises(ImpossibleRequest, match="cannot be read"):
        Studio(tmp_path)
    places.shelves.unlink()

    async def visit() -> None:
        studio = Studio(tmp_path)
        await studio.open()
        await studio.close()

    asyncio.run(visit())
    asyncio.run(visit())  # nor does a later start take it for left over
    assert (tmp_path / "unlisted" / "pieces" / ("0" * 12) / "piece.mid").is_file()


def test_two_corpora_are_told_apart_by_name(visitor: Visitor) -> None:
    first, second, third = (visitor.post("corpora", {"name": "alike"})["name"] for _ in range(3))
    assert (first, second, third) == ("alike", "alike 2", "alike 3")


def test_who_waits_hears_how_many_are_before(visitor: Visitor, corpus: dict[str, Any]) -> None:
    settings = {**TINY, "training.updates": 5000, "training.patience": None}
    runs = [
        visitor.post("jobs/train", {"corpus": corpus["id"], "recipe": "lstm", "settings": settings}) for _ in range(3)
    ]
    visitor.when(lambda: visitor.get(f"jobs/{runs[0]['id']}"), lambda found: found["state"] == "running")
    assert [visitor.get(f"jobs/{run['id']}")["ahead"] for run in runs] == [0, 1, 2]
    assert {job["id"]: job["ahead"] for job in visitor.get("jobs")}[runs[2]["id"]] == 2
    for run in reversed(runs):
        visitor.post(f"jobs/{run['id']}/stop")


def test_uploads_at_one_time_do_not_take_one_number(studio: Serving) -> None:
    corpus = studio.visitor().post("corpora", {"name": "many"})["id"]

    def send(seed: int) -> Any:
        return studio.visitor().upload(f"corpora/{corpus}/files", f"{seed}.mid", to_bytes(tune(seed, bars=1 + seed)))

    with ThreadPoolExecutor(8) as threads:
        assert all(found["added"] == 1 for found in threads.map(send, range(12)))
    for file in studio.visitor().get(f"corpora/{corpus}")["list"]:
        seed = int(file["name"].removesuffix(".mid"))
        score = studio.visitor().get(f"corpora/{corpus}/files/{file['number']}/score")
        assert sum(len(track["notes"]) for track in score["tracks"]) == tune(seed, bars=1 + seed).note_num()


def test_stopping_what_just_ends_harms_nobody_else(studio: Serving) -> None:
    visitor = studio.visitor()
    for _ in range(5):
        first = visitor.post("jobs/compose", {"bars": 2, "n": 4})
        visitor.when(lambda job=first["id"]: visitor.get(f"jobs/{job}"), lambda found: bool(found["pieces"]))
        visitor.ask("POST", f"/api/jobs/{first['id']}/stop")
        others = [visitor.post("jobs/compose", {"bars": 2}) for _ in range(2)]
        assert [visitor.done(job)["state"] for job in others] == ["done", "done"]
        assert visitor.done(first)["state"] in ("done", "stopped")


def test_a_job_is_stopped_as_soon_as_it_is_asked_for(visitor: Visitor) -> None:
    for wait in (0, 0, 0.05, 0.3):
        job = visitor.post("jobs/compose", {"bars": 200, "seed": 1})
        time.sleep(wait)
        visitor.post(f"jobs/{job['id']}/stop")
        assert visitor.done(job, 20)["state"] == "stopped"
    assert visitor.does("compose", bars=2)


def test_nothing_is_lost_when_it_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path / "kept") as studio:
        visitor = studio.visitor()
        corpus = visitor.post("corpora", {"name": "mine"})["id"]
        for seed in range(10):
            visitor.upload(f"corpora/{corpus}/files", f"tune {seed}.mid", to_bytes(tune(seed, bars=16)))
        settings = {**TINY, "training.updates": 500, "training.patience": None}
        train = visitor.post("jobs/train", {"corpus": corpus, "recipe": "lstm", "settings": settings})
        composing = [visitor.post("jobs/compose", {"bars": 8, "seed": seed}) for seed in range(3)]

        def going(found: dict[str, Any]) -> bool:
            progress = found["progress"]
            return bool(progress and progress["job"] == "Training" and progress["done"] > 150)

        visitor.when(lambda: visitor.get(f"jobs/{train['id']}"), going)
        visitor.when(
            lambda: [visitor.get(f"jobs/{job['id']}") for job in composing],
            lambda found: any(one["began"] for one in found),
        )
        before = {row["id"] for row in visitor.get("jobs")}, {row["id"] for row in visitor.get("corpora")}
        studio.kill()
        left = studio.folder / "pieces" / ("0" * 12), studio.folder / "corpora" / corpus / "music" / "00099.mid"
        left[0].mkdir()
        left[1].write_bytes(b"half of")  # as it was when the studio died
        (studio.folder / "corpora" / corpus / "out").mkdir(exist_ok=True)
        moved = studio.folder / "corpora" / corpus / "music" / "00002.mid"
        moved.rename(moved.parent.parent / "out" / moved.name)  # as when it died between moving and listing
        studio.begin()
        visitor = studio.visitor()
        assert not any(path.exists() for path in left)
        assert moved.is_file()
        assert ({row["id"] for row in visitor.get("jobs")}, {row["id"] for row in visitor.get("corpora")}) == before
        begun = visitor.when(
            lambda: visitor.get(f"jobs/{train['id']}"),
            lambda found: bool(found["progress"] and found["progress"]["job"] == "Training"),
        )
        assert begun["progress"]["done"] > 50  # from its last checkpoint
        for job in (*composing, train):
            assert visitor.done(job)["state"] == "done"
        assert len(visitor.get("pieces")) == 3
        assert visitor.does("compose", model=train["id"], bars=2)["pieces"]


def test_many_compose_at_once_and_take_turns(studio: Serving) -> None:
    visitors = [studio.visitor(f"client {number}") for number in range(20)]
    greedy = [visitors[0].post("jobs/compose", {"bars": 2, "seed": seed}) for seed in range(8)]
    others = [visitor.post("jobs/compose", {"bars": 2}) for visitor in visitors[1:]]
    began = time.monotonic()
    visitors[5].get("about")
    assert time.monotonic() - began < 1.0
    done = {job["id"]: visitors[0].done(job) for job in (*greedy, *others)}
    assert {found["state"] for found in done.values()} == {"done"}
    last_of_greedy = max(done[job["id"]]["began"] for job in greedy)
    assert all(done[job["id"]]["began"] <= last_of_greedy for job in others)


def test_only_its_own_page_is_answered(studio: Serving, visitor: Visitor) -> None:
    own = f"http://127.0.0.1:{studio.port}"
    assert visitor.ask("GET", "/api/about", headers={"Origin": own})[0] == 200
    for headers in (
        {"Host": "evil.example"},
        {"Host": f"evil.example:{studio.port}"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": f"http://127.0.0.1:{studio.port + 1}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        status, _, data = visitor.ask("GET", "/api/about", headers=headers)
        assert (status, "detail" in json.loads(data)) == (403, True), headers
    for path in ("/../shelves.py", "/..%2fapp.py", "/%2e%2e/app.py", "/.hidden", "/api/nothing"):
        assert visitor.ask("GET", path)[0] == 404
    status, headers, _ = visitor.ask("GET", "/api/about")
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in headers["content-security-policy"]


def test_what_is_too_much_is_refused_and_the_studio_goes_on(visitor: Visitor, corpus: dict[str, Any]) -> None:
    place = f"corpora/{corpus['id']}/files?name=x.mid"
    assert "64 MB" in visitor.refused("POST", place, bytes((64 << 20) + 1), 413)
    assert visitor.refused("POST", "corpora", {"name": "x" * 1000}, 422)
    assert visitor.refused("POST", "corpora", b"\xff\x00not json")
    assert visitor.refused("POST", "pieces?name=x.exe", b"MZ", 409).startswith("x.exe: ")
    assert "x.mid" in visitor.refused("POST", "pieces?name=x.mid", b"nothing", 409)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.mid", bytes(200 << 20))
    assert "too much" in visitor.refused("POST", f"corpora/{corpus['id']}/files?name=b.zip", bomb.getvalue(), 409)
    assert "no ZIP" in visitor.refused("POST", f"corpora/{corpus['id']}/files?name=b.zip", b"PK\x03\x04 no", 409)
    assert visitor.get("about")


def test_another_address_needs_its_token(tmp_path: Path) -> None:
    with serving(tmp_path / "kept", "--host", "0.0.0.0") as studio:
        visitor, token = studio.visitor(), studio.address.split("token=")[1]
        assert visitor.ask("GET", "/api/about")[0] == 401
        assert visitor.ask("GET", "/?token=wrong")[0] == 401
        assert visitor.ask("GET", "/api/about", headers={"Authorization": f"Bearer {token}"})[0] == 200
        status, headers, _ = visitor.ask("GET", f"/?token={token}")
        assert (status, headers["location"]) == (303, "/")
        cookie = headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        own = cookie.split(";")[0]
        for line in (own, f'a={{"x":1, "y": [2]}}; {own}', f"a b=c; {own}; d", f"{own} ;="):
            assert visitor.ask("GET", "/api/about", headers={"Cookie": line})[0] == 200, line
        assert visitor.ask("GET", "/api/about", headers={"Cookie": f"{own}x"})[0] == 401


def test_a_folder_is_for_one_studio(studio: Serving) -> None:
    command = [sys.executable, "-m", "partimento", "studio", "--folder", str(studio.folder), "--no-browser"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Another studio works in" in done.stderr


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a/b.mid", "a/b.mid"),
        ("..\\..\\b.mid", "b.mid"),
        ("/etc/passwd", "etc/passwd"),
        ("a\x00\nb.mid", "ab.mid"),
        ("..", "unnamed"),
    ],
)
def test_names_are_text(given: str, kept: str) -> None:
    assert clean(given) == kept


def test_a_zip_that_lies_about_its_size_is_refused() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.mid", bytes(5000))
    data = bytearray(packed.getvalue())
    at = data.rindex(b"PK\x01\x02") + 24
    data[at : at + 4] = (100).to_bytes(4, "little")
    (file,), refused = unpacked(bytes(data), "a.zip")
    assert not refused
    with pytest.raises(ImpossibleRequest, match="Bad CRC"):
        file.read()


def test_of_a_zip_with_a_broken_file_nothing_is_kept(visitor: Visitor, studio: Serving) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("right.mid", to_bytes(tune(1)))
        archive.writestr("wrong.mid", to_bytes(tune(2)))
    data = bytearray(packed.getvalue())
    data[data.index(b"wrong.mid") + 60] ^= 255  # its checksum is wrong now
    id = visitor.post("corpora", {"name": "broken"})["id"]
    assert "no ZIP that can be read" in visitor.refused("POST", f"corpora/{id}/files?name=a.zip", bytes(data))
    assert visitor.get(f"corpora/{id}")["list"] == []
    assert list((studio.folder / "corpora" / id / "music").iterdir()) == []
