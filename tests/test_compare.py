"""Comparing: one failing system costs a row, columns never mix codecs, and what is finished is not done again."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from partimento.codec import codec_named
from partimento.comparing import COMMON, Comparison, Terms, _outlook, compare, systems_of
from partimento.comparing.people import NOISE, OTHERS, SHUFFLED
from partimento.comparing.report import markdown
from partimento.comparing.trials import SHOWN, _written
from partimento.errors import InvalidSettings
from partimento.evaluation.features import FEATURES
from partimento.files import read, write
from partimento.progress import Progress
from partimento.recipes import Recipe, from_tables, recipe_named
from partimento.render.listening import Strong
from partimento.training.loop import RunExists

from commands import run
from music import tune

TERMS = Terms(minutes=0.05, seed=3, bars=2, pieces=3, sound="ogg")
CHORDS = {
    "about": "A tiny LSTM on chords.",
    "codec": {"name": "chords", "classic": True},
    "model": {"name": "lstm", "stack": ["cell 8"]},
    "training": {"length": 32, "batch": 4, "updates": 6},
}
BAD = {**CHORDS, "about": "Ids of a grid, which there are not.", "codec": {"name": "roll"}}


def recipes() -> list[Recipe]:
    return [from_tables("tiny", CHORDS), from_tables("bad", BAD), recipe_named("markov")]


class Desk:
    """A comparison of three systems, one of which cannot be."""

    def __init__(self, folder: Path) -> None:
        self.music, self.to = folder / "music", folder / "compared"
        self.music.mkdir()
        for seed in range(12):
            write(tune(seed, bars=8), self.music / f"{seed}.mid")
        self.events: list[Progress] = []
        self.made = self.go_on()

    def go_on(self, terms: Terms = TERMS) -> Comparison:
        return compare(self.music, self.to, recipes(), terms, common=False, watch=self.events.append)

    def facts(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.to / "compare.json").read_text())
        return found

    def systems(self) -> dict[str, Any]:
        return {system["name"]: system for system in self.facts()["systems"]}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("desk")
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    yield Desk(folder)
    os.environ.pop("XDG_CACHE_HOME")
    if before is not None:
        os.environ["XDG_CACHE_HOME"] = before


def test_a_system_that_fails_costs_a_row(desk: Desk) -> None:
    found = desk.systems()
    assert list(found) == ["tiny", "bad", "markov"]
    assert "grids" in found["bad"]["why"]
    assert "grids" in (desk.to / "compare.md").read_text()
    assert "why" not in found["tiny"]
    assert "why" not in found["markov"]


def test_every_finished_system_is_measured_and_heard(desk: Desk) -> None:
    for name in ("tiny", "markov"):
        found = desk.systems()[name]
        folder = desk.to / found["folder"]
        assert found["likelihood"] == "exact"
        assert 0 < found["bits"] < 100
        assert found["parameters"] > 0
        assert found["notes_a_second"] > 0
        assert len(found["pieces"]) == TERMS.pieces
        for number, piece in enumerate(found["pieces"]):
            assert read(folder / piece["midi"]).score.note_num() == piece["notes"]
            for kind in ("picture", "sound"):
                assert (number < SHOWN) == bool(piece[kind])
                assert not piece[kind] or (folder / piece[kind]).stat().st_size > 500
        assert set(found["near"]) <= {feature.name for feature in FEATURES}
        assert all(len(column) == TERMS.pieces for column in found["features"].values())


def test_columns_never_mix_codecs(desk: Desk) -> None:
    table = desk.made.bits()
    assert len(table.heads) == 4
    assert {"tokens"} < set(table.heads)
    rows = {row[0]: row for row in table.rows}
    assert (rows["tiny"][2] is None) != (rows["markov"][2] is None)
    assert (rows["tiny"][3] is None) != (rows["markov"][3] is None)


def test_bounds_are_marked_and_vocabularies_are_told_apart(desk: Desk) -> None:
    tiny = next(row for row in desk.made.rows if row.name == "tiny")
    assert tiny.result is not None
    bits = tiny.result.bits
    assert bits is not None
    bound = dataclasses.replace(tiny.result, likelihood="bound", bits=bits + 1)
    other = dataclasses.replace(tiny.result, written="another vocabulary", vocabulary=9)
    twin = dataclasses.replace(other, written="yet another")
    ordered = {**tiny.result.codec_settings, "order": "name"}
    turned = dataclasses.replace(tiny.result, codec_settings=ordered, bits=bits + 2)
    unlikely = dataclasses.replace(tiny.result, likelihood="none", bits=None, figure="nats of something")
    results = {
        "tiny": tiny.result,
        "bound": bound,
        "other": other,
        "twin": twin,
        "unlikely": unlikely,
        "turned": turned,
    }
    rows = tuple(dataclasses.replace(tiny, name=name, result=result) for name, result in results.items())
    made = dataclasses.replace(desk.made, rows=rows)
    table = made.bits()
    own = f"chords, classic, {tiny.result.vocabulary} ids"
    assert table.heads[2:] == [own, "chords, classic, 9 ids (2)", "chords, classic, 9 ids (3)"]
    cells = {str(row[0]): row[2:] for row in table.rows}
    assert cells["tiny"] == [Strong(f"{bits:.3f}"), None, None]
    assert cells["bound"] == [f"≤ {bits + 1:.3f}", None, None]
    assert cells["turned"] == [f"{bits + 2:.3f}", None, None]  # ids in another order are the same ids
    assert cells["other"][1] == Strong(f"{bits:.3f}")
    assert cells["unlikely"] == [None] * 3
    assert [row[:2] for row in made.others().rows] == [["unlikely", "nats of something"]]


def test_what_a_codec_drops_is_measured(desk: Desk) -> None:
    found = desk.systems()
    assert found["markov"]["notes_kept"] == found["markov"]["in_place"] == 1
    assert found["tiny"]["notes_kept"] < 0.9
    assert {"lengths", "instruments", "loudness"} <= set(found["tiny"]["lost"])
    near = desk.made.near(found["markov"]["through"])
    assert near.pop("dynamics spread").distance < 0.3  # 32 levels of loudness
    assert all(nearness.distance < 1e-6 for nearness in near.values()), near


def test_results_of_an_earlier_version_are_compared_on_what_they_have(desk: Desk) -> None:
    tiny = next(row for row in desk.made.rows if row.name == "tiny")
    assert tiny.result is not None
    without = {"key clarity", "dynamics spread"}
    fewer = [{n: c for n, c in of.items() if n not in without} for of in (tiny.result.features, tiny.result.through)]
    earlier = dataclasses.replace(tiny, result=dataclasses.replace(tiny.result, features=fewer[0], through=fewer[1]))
    made = dataclasses.replace(desk.made, rows=(earlier,))
    assert set(desk.made.near(tiny.result.features)) - set(made.near(fewer[0])) == without
    for table, before in ((made.distances(), desk.made.distances()), (made.medians(), desk.made.medians())):
        assert table.heads == before.heads
        mine, whole = (next(row for row in t.rows if row[0] == "tiny") for t in (table, before))
        assert {head for head, cell in zip(table.heads, mine, strict=True) if cell is None} >= {
            head for head in table.heads if head.partition(" (")[0] in without
        }
        assert [c for h, c in zip(table.heads, mine, strict=True) if h.partition(" (")[0] not in without] == [
            c for h, c in zip(table.heads, whole, strict=True) if h.partition(" (")[0] not in without
        ]
    counted = next(row for row in made.systems().rows if row[0] == "tiny")
    telling = made.telling(NOISE, SHUFFLED)
    assert without & set(telling)
    assert str(counted[-1]).endswith(f"of {len(set(telling) - without)}")


def test_people_have_rows_and_only_what_can_be_had_is_counted(desk: Desk) -> None:
    """Other human pieces, noise and shuffled bars stand above the systems, and a distance of 0 cannot be beaten."""
    rows = {row[0]: row[-3:] for row in desk.made.systems().rows}
    assert list(rows)[:3] == [OTHERS, NOISE, SHUFFLED]
    yards = {name: dict(near) for name, near in desk.made.people.yardsticks.items()}
    assert rows[NOISE][0] is rows[NOISE][2] is rows[SHUFFLED][1] is rows[SHUFFLED][2] is None
    assert str(rows[OTHERS][2]).startswith(f"{len(desk.made.nearer(yards[OTHERS], NOISE, SHUFFLED))} of ")
    whole = set(desk.made.telling(NOISE, SHUFFLED))
    assert whole == set(desk.made.telling(NOISE)) & set(desk.made.telling(SHUFFLED))
    assert "note density" in whole
    beaten = {name: dataclasses.replace(near, distance=-1.0) for name, near in yards[NOISE].items()}
    for changed in (
        {
            "yardsticks": {
                **yards,
                NOISE: {**yards[NOISE], "note density": dataclasses.replace(beaten["note density"], distance=0.0)},
            }
        },
        {"like": {**desk.made.people.like, "note density": np.full_like(desk.made.people.like["note density"], 2.0)}},
    ):
        made = dataclasses.replace(desk.made, people=dataclasses.replace(desk.made.people, **changed))
        assert set(made.telling(NOISE, SHUFFLED)) == whole - {"note density"}
        assert set(made.nearer(beaten, NOISE, SHUFFLED)) == whole - {"note density"}
        assert made.counts(beaten)[2] == f"{len(whole) - 1} of {len(whole) - 1}"
    facts = desk.facts()
    assert set(facts["telling"]["both"]) == whole
    assert set(facts["people_nearer_than"]) == {"noise", "shuffled_bars", "both"}


def test_the_page_leads_to_what_is_there(desk: Desk) -> None:
    page = (desk.to / "index.html").read_text()
    for place in re.findall(r'(?:src|href)="([^"#]+)"', page):
        assert (desk.to / place).is_file(), place
    for name in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{name}"' in page, name
    assert page.count('href="#systems-tiny"') == 4
    assert "systems/tiny/run/curves.png" in page
    for name in ("held-out piece", "noise", "shuffled bars", "tiny", "markov"):
        assert f"<h3>{name}" in page


def test_what_is_finished_is_not_done_again(desk: Desk) -> None:
    done = desk.to / "systems" / "markov" / "result.json"
    broken = desk.to / "systems" / "tiny"
    bundle = broken / "run" / "bundle" / "manifest.json"
    before, trained = desk.facts(), bundle.stat().st_mtime_ns
    stamp = done.stat().st_mtime_ns
    (broken / "result.json").unlink()  # as if it was stopped while it composed
    desk.go_on()
    assert done.stat().st_mtime_ns == stamp
    assert bundle.stat().st_mtime_ns == trained
    after = desk.facts()
    for facts in (before, after):
        facts["systems"][0].pop("notes_a_second")
    assert after == before


def test_what_an_earlier_version_did_not_measure_is_measured_in_its_music(desk: Desk) -> None:
    done = desk.to / "systems" / "markov" / "result.json"
    before = json.loads(done.read_text())
    earlier = json.loads(done.read_text())
    for kind in ("features", "through"):
        del earlier[kind]["key clarity"]
        earlier[kind]["note density"] = [7.0] * len(earlier[kind]["note density"])  # what was measured is not touched
    done.write_text(json.dumps(earlier))
    trained = (done.parent / "run" / "bundle" / "manifest.json").stat().st_mtime_ns
    desk.go_on()
    assert (done.parent / "run" / "bundle" / "manifest.json").stat().st_mtime_ns == trained
    after = json.loads(done.read_text())
    for kind in ("features", "through"):
        assert after[kind]["key clarity"] == pytest.approx(before[kind]["key clarity"])
        assert list(after[kind]) == list(before[kind])
        assert set(after[kind].pop("note density")) == {7.0}
    earlier["pieces"][0]["midi"] = "music/gone.mid"
    done.write_text(json.dumps(earlier))
    desk.go_on()  # it is compared on what it has
    assert "key clarity" not in desk.systems()["markov"]["near"]
    done.write_text(json.dumps(before))
    desk.go_on()


def test_where_every_system_fails_so_does_the_command(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('[codec]\nname = "roll"\n\n[model]\nname = "lstm"\n')
    words = ["compare", desk.music, "--to", "all", "--recipes", "bad.toml", "--no-common", "--sound", "none"]
    done = run([sys.executable, "-m", "partimento", *map(str, words)], tmp_path)
    assert done.returncode == 1
    assert "Every system failed, the first so: " in done.stderr
    assert (tmp_path / "all" / "compare.md").is_file()


def test_other_terms_are_another_comparison(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(RunExists, match="seed"):
        desk.go_on(Terms(minutes=0.05, seed=4, bars=2, pieces=3, sound="ogg"))
    (tmp_path / "something").write_text("in the way")
    with pytest.raises(RunExists, match="already holds something"):
        compare(desk.music, tmp_path, recipes(), TERMS)
    with pytest.raises(InvalidSettings, match="would be learnt from"):
        compare(desk.music, desk.music / "compared", recipes(), TERMS)


def test_what_is_written_does_not_hang_on_the_numbers_of_ids() -> None:
    kind = codec_named("chords")
    found = {}
    for name, settings in {"one": {}, "turned": {"order": "name"}, "other": {"steps_per_beat": 4, "levels": 1}}.items():
        codec = kind(kind.Settings(**settings))
        codec.learn([tune(seed) for seed in range(4)])
        found[name] = _written(codec, [codec.encode(tune(9, drums=False))])
    assert found["one"] == found["turned"] != found["other"]


def test_its_tables_are_pasted_by_one_command(desk: Desk, tmp_path: Path) -> None:
    page = tmp_path / "compare.md"
    page.write_text("# Compared\n\n<!-- begin tiny -->\nstale words\n<!-- end tiny -->\n\nThe end.\n")
    script = Path(__file__).parent.parent / "benchmarks" / "compare_tables.py"
    command = [sys.executable, script, desk.to, "--as", "tiny", "--page", page]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert markdown(desk.made.bits()) in text
    assert "stale words" not in text
    assert text.endswith("<!-- end tiny -->\n\nThe end.\n")
    unknown = subprocess.run([*command[:4], "other", *command[5:]], capture_output=True, text=True, check=False)
    assert unknown.returncode == 1
    assert "<!-- begin other -->" in unknown.stderr


def test_systems_of_ids_are_compared_on_one_codec_too() -> None:
    systems = systems_of([*recipes(), recipe_named("lstm")])
    assert [system.name for system in systems] == ["tiny", "bad", "markov", "lstm", f"tiny on {COMMON}"]
    assert systems[-1].recipe.codec == COMMON
    assert systems[-1].recipe.settings["model"] == systems[0].recipe.settings["model"]
    with pytest.raises(InvalidSettings, match="Two recipes are called tiny"):
        systems_of([recipes()[0]] * 2)
    with pytest.raises(InvalidSettings, match="Name recipes"):
        systems_of([])


def test_no_two_systems_share_a_folder_and_none_leaves_its_own() -> None:
    names = ["a b", "a-b", "a  b", "..", ".hidden", "a/b", "größe", "x" * 300, "-"]
    places = [system.place for system in systems_of([from_tables(name, CHORDS) for name in names])]
    assert len({place.casefold() for place in places}) == len(places) == 2 * len(names)
    for place in places:
        assert re.fullmatch(r"\w[\w.-]{0,120}", place), place
    assert {"a-b", "größe", f"a-b-on-{COMMON}"} < set(places)  # where comparisons have them that were begun before
    for pair in (["tune", "Tune"], [f"a-on-{COMMON}", "a"]):
        with pytest.raises(InvalidSettings, match="would share the folder"):
            systems_of([from_tables(name, CHORDS) for name in pair])


def test_one_of_a_thing_is_said_as_one(desk: Desk) -> None:
    said = _outlook(systems_of([recipe_named("markov")], common=False), Terms(minutes=1.0))
    assert said == "1 system, 1 minute of training each: about 2 minutes in all. To compare: markov."
    lead = (desk.to / "compare.md").read_text()
    assert "0.05 minutes of training each" in lead


def test_a_changed_recipe_is_trained_anew_and_a_hang_is_a_row(desk: Desk, tmp_path: Path) -> None:
    place = desk.to / "systems" / "markov"
    asked = json.loads((place / "asked.json").read_text())
    asked["recipe"]["model"]["order"] = 3
    (place / "asked.json").write_text(json.dumps(asked))
    recipe = [recipe_named("markov")]
    made = compare(desk.music, desk.to, recipe, TERMS, common=False, limit=0.01, watch=desk.events.append)
    assert "hung" in made.rows[0].why
    assert not (place / "result.json").exists()
    assert any("its recipe has changed" in event.remark for event in desk.events)


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_comparison_that_is_stopped_goes_on(how: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    for seed in range(12):
        write(tune(seed, bars=16), tmp_path / "music" / f"{seed}.mid")
    slow = {**CHORDS, "training": {"length": 32, "batch": 4, "save_every": 0.1}, "plan": {"most_passes": 1e4}}
    (tmp_path / "slow.toml").write_text(from_tables("slow", slow).to_toml())
    command = [sys.executable, "-m", "partimento", "compare", "music", "--to", "compared", "--recipes", "slow.toml"]
    command += ["--minutes", "0.3", "--bars", "2", "--pieces", "2", "--sound", "none", "--no-common"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    first = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    run = tmp_path / "compared" / "systems" / "slow" / "run"
    checkpoint = run / "training" / "last.safetensors"
    _wait_for(checkpoint.exists)
    begun = checkpoint.stat().st_mtime_ns
    _wait_for(lambda: checkpoint.stat().st_mtime_ns != begun)
    first.send_signal(how)
    _, said = first.communicate(timeout=100)
    assert first.returncode == (1 if how == signal.SIGINT else -signal.SIGKILL)
    assert how == signal.SIGKILL or "the same command goes on" in " ".join(said.split())
    second = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stderr
    assert "Plan:" not in second.stderr  # it went on with the run that there was
    facts = json.loads((tmp_path / "compared" / "compare.json").read_text())
    assert "why" not in facts["systems"][0]


def _wait_for(condition: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < 200
        time.sleep(0.05)
