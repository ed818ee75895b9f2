from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import partimento.bundle
from partimento.bundle import Bundle, open_bundle, write_bundle
from partimento.errors import InvalidBundle

from little import Crotchets, write_little_bundle, write_player

PARTS = ["README.md", "codec/learnt.json", "config.json", "facts.json", "model.safetensors"]
PARTS += ["player/player.json", "player/step.onnx"]


@pytest.fixture(autouse=True)
def _crotchets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partimento.bundle, "codec_named", {"crotchets": Crotchets}.__getitem__)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_little_bundle(tmp_path / "model").folder


def rewrite(folder: Path, name: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a JSON part and the manifest with it, as a forger would."""
    value = json.loads((folder / name).read_text())
    value = change(value) or value
    (folder / name).write_text(json.dumps(value))
    if name != "manifest.json":
        content = (folder / name).read_bytes()
        entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        rewrite(folder, "manifest.json", lambda m: m["parts"].update({name: entry}))


def test_what_is_written_is_what_is_opened(tmp_path: Path) -> None:
    written = write_little_bundle(tmp_path / "model")
    opened = open_bundle(tmp_path / "model")
    assert opened == written
    assert (opened.codec_name, opened.model_name, opened.player_name) == ("crotchets", "lstm", "step")
    assert opened.recipe == {
        "about": "Crotchets alone.",
        "codec": {"name": "crotchets", "ticks": 4},
        "model": {"width": 8},
    }
    assert opened.facts["notes"] == 58_123
    assert opened.arrays()["W"].tolist() == np.arange(12).reshape(3, 4).tolist()
    codec = opened.codec()
    assert isinstance(codec, Crotchets)
    assert codec.settings == Crotchets.Settings(ticks=4)
    assert sorted(p.relative_to(opened.folder).as_posix() for p in opened.folder.rglob("*") if p.is_file()) == sorted(
        [*PARTS, "manifest.json"]
    )


def test_the_digest_names_the_content_and_not_the_place(tmp_path: Path) -> None:
    one, two = write_little_bundle(tmp_path / "one"), write_little_bundle(tmp_path / "two")
    other = write_little_bundle(tmp_path / "three", seed=1)
    assert one.digest == two.digest
    assert other.digest != one.digest
    moved = shutil.copytree(one.folder, tmp_path / "moved")
    assert open_bundle(moved).digest == one.digest


@pytest.mark.parametrize("name", [*PARTS, "manifest.json"])
def test_a_missing_part_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(InvalidBundle, match=f"{name} is missing"):
        open_bundle(folder)


@pytest.mark.parametrize("name", PARTS)
def test_a_changed_part_is_named(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(InvalidBundle, match=name) as refusal:
        open_bundle(folder)
    assert "train it again" in str(refusal.value)


@pytest.mark.parametrize("name", PARTS)
def test_a_part_cut_short_is_named(folder: Path, name: str) -> None:
    os.truncate(folder / name, (folder / name).stat().st_size - 1)
    with pytest.raises(InvalidBundle, match=name):
        open_bundle(folder)


@pytest.mark.parametrize("name", ["notes.txt", "player/step.onnx.data", "codec/more/deep.json", "player/.hidden"])
def test_an_extra_part_is_named(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("more")
    with pytest.raises(InvalidBundle, match=f"{name} is not a part"):
        open_bundle(folder)


def test_what_hubs_and_desktops_hide_beside_it_does_no_harm(folder: Path) -> None:
    digest = open_bundle(folder).digest
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref")
    (folder / ".gitattributes").write_text("*.onnx filter=lfs")
    assert open_bundle(folder).digest == digest


def test_parts_may_be_links_as_in_the_hubs_cache(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").rename(tmp_path / "blob")
    (folder / "model.safetensors").symlink_to(tmp_path / "blob")
    assert open_bundle(folder).arrays()["n"].tolist() == [7]
    (tmp_path / "blob").unlink()
    with pytest.raises(InvalidBundle, match=r"model\.safetensors is missing"):
        open_bundle(folder)


def test_what_is_no_file_is_no_part(folder: Path, tmp_path: Path) -> None:
    (folder / "facts.json").unlink()
    (folder / "facts.json").symlink_to("/dev/zero")
    with pytest.raises(InvalidBundle, match=r"facts\.json"):
        open_bundle(folder)
    (folder / "facts.json").unlink()
    os.mkfifo(folder / "facts.json")
    with pytest.raises(InvalidBundle, match=r"facts\.json"):
        open_bundle(folder)
    (folder / "facts.json").unlink()
    (folder / "facts.json").symlink_to(tmp_path)
    with pytest.raises(InvalidBundle, match=r"facts\.json"):
        open_bundle(folder)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "player/../../outside", "a\\b", "C:x", "", ".", "a//b"])
def test_a_manifest_that_points_elsewhere_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").write_text("secret")
    entry = {"bytes": 6, "sha256": hashlib.sha256(b"secret").hexdigest()}
    rewrite(folder, "manifest.json", lambda m: m["parts"].update({name: entry}))
    with pytest.raises(InvalidBundle, match="no place in a bundle"):
        open_bundle(folder)


@pytest.mark.parametrize(
    "parts",
    [[], None, {"config.json": 3}, {"config.json": {"bytes": "3"}}, {"config.json": {"bytes": 1 << 60, "sha256": ""}}],
)
def test_a_manifest_that_is_none_is_refused(folder: Path, parts: Any) -> None:
    rewrite(folder, "manifest.json", lambda m: {"parts": parts})
    with pytest.raises(InvalidBundle):
        open_bundle(folder)


@pytest.mark.parametrize("name", ["config.json", "facts.json", "manifest.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe{}", b"[" * 100_000, b'{"a":' * 50_000])
def test_json_that_is_none_is_refused(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(InvalidBundle):
        open_bundle(folder)


def test_json_of_any_size_is_not_read(folder: Path) -> None:
    os.truncate(folder / "config.json", 1 << 40)  # a hole: takes no room
    with pytest.raises(InvalidBundle, match=r"config\.json is larger"):
        open_bundle(folder)


def test_a_newer_format_is_refused_with_what_to_do(folder: Path) -> None:
    rewrite(folder, "config.json", lambda c: c.update(format=2, partimento="9.9"))
    with pytest.raises(InvalidBundle, match=r"newer version.*9\.9.*pip install --upgrade partimento"):
        open_bundle(folder)


@pytest.mark.parametrize(
    "change",
    [
        *({"format": None}, {"format": True}, {"format": "1"}),
        *({"codec": 5}, {"player": None}, {"recipe": []}, {"recipe": {"codec": 3}}),
        *({"recipe": {"player": 5}}, {"recipe": {"request": [1, 2]}}, {"recipe": {"sampling": None}}),
    ],
)
def test_a_config_without_sense_is_refused(folder: Path, change: dict[str, Any]) -> None:
    rewrite(folder, "config.json", lambda c: c.update(change))
    with pytest.raises(InvalidBundle, match=r"config\.json"):
        open_bundle(folder)


def test_settings_that_the_codec_does_not_have_are_a_broken_bundle(folder: Path) -> None:
    rewrite(folder, "config.json", lambda c: c["recipe"]["codec"].update(tocks=4))
    with pytest.raises(InvalidBundle, match="tocks"):
        open_bundle(folder).codec()


def test_a_codec_that_cannot_be_loaded_is_a_broken_bundle(folder: Path) -> None:
    rewrite(folder, "config.json", lambda c: c.update(codec="sackbuts"))
    with pytest.raises(InvalidBundle, match="codec"):
        open_bundle(folder).codec()


def test_weights_that_are_none_are_a_broken_bundle(folder: Path) -> None:
    content = b"\x80\x04cos\nsystem\n"
    (folder / "model.safetensors").write_bytes(content)
    entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    rewrite(folder, "manifest.json", lambda m: m["parts"].update({"model.safetensors": entry}))
    with pytest.raises(InvalidBundle, match=r"model\.safetensors"):
        open_bundle(folder).arrays()


def test_a_run_serves_where_a_bundle_does(tmp_path: Path) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    with pytest.raises(InvalidBundle, match=r"has not written its bundle yet.*--resume"):
        open_bundle(tmp_path / "run")
    written = write_little_bundle(tmp_path / "run" / "bundle")
    assert open_bundle(tmp_path / "run") == written


def test_what_is_no_bundle_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidBundle, match="nothing is there"):
        open_bundle(tmp_path / "nowhere")
    (tmp_path / "song.mid").write_bytes(b"MThd")
    with pytest.raises(InvalidBundle, match="is a file"):
        open_bundle(tmp_path / "song.mid")


def test_a_bundle_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "model"
    first = write_little_bundle(place)

    def break_off(folder: Path) -> str:
        write_player(folder)
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write_bundle(
            place,
            recipe={},
            codec_name="crotchets",
            codec=Crotchets(Crotchets.Settings()),
            model_name="lstm",
            arrays={},
            export=break_off,
            facts={},
        )
    assert open_bundle(place) == first
    second = write_little_bundle(place, seed=1)
    assert open_bundle(place) == second != first
    assert [p.name for p in tmp_path.iterdir()] == ["model"], "nothing is left lying about"


def test_a_folder_of_something_else_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "mine.mid").write_bytes(b"MThd")
    with pytest.raises(InvalidBundle, match="not a bundle"):
        write_little_bundle(tmp_path / "songs")
    assert (tmp_path / "songs" / "mine.mid").read_bytes() == b"MThd"
    (tmp_path / "empty").mkdir()
    write_little_bundle(tmp_path / "empty")


def write_with_facts(folder: Path, facts: dict[str, Any]) -> Bundle:
    return write_bundle(
        folder,
        recipe={"codec": {"ticks": 4}},
        codec_name="crotchets",
        codec=Crotchets(Crotchets.Settings()),
        model_name="lstm",
        arrays={"W": np.asfortranarray(np.ones((2, 3), np.float32))},
        export=write_player,
        facts=facts,
    )


def test_facts_of_numpy_and_losses_that_are_none_can_be_kept(tmp_path: Path) -> None:
    facts = {"curve": [np.float32(1.5), float("nan")], "n": np.int64(3), 5: (1, 2), "array": np.arange(2)}
    made = write_with_facts(tmp_path / "m", facts)
    assert made.facts == {"curve": [1.5, None], "n": 3, "5": [1, 2], "array": [0, 1]}


def test_the_card_says_what_the_facts_say(tmp_path: Path) -> None:
    facts = {
        "title": "Piano, 92 songs",
        "pieces": 92,
        "notes": 58_123,
        "hours": 6.25,
        "corpus": "92 piano pieces | <b>bold</b>\n# no heading",
        "data_licence": "CC BY-SA 4.0",
        "splits": {"train": {"pieces": 74, "notes": 46_000}, "test": {"pieces": 9, "notes": 6_000}},
        "scores": {"held-out loss (nats an id)": 3.14159},
        "limits": ["It knows piano alone."],
        "seed": 7,
    }
    card = (write_with_facts(tmp_path / "m", facts).folder / "README.md").read_text()
    for expected in (
        "# Piano, 92 songs",
        "92 pieces, 58,123 notes, 6.25 hours of music",
        "Licence of the training data: CC BY-SA 4.0.",
        "| train | 74 | 46,000 |",
        "| held-out loss (nats an id) | 3.142 |",
        "- It knows piano alone.",
        "partimento compose",
        "| seed | 7 |",
        "\\| &lt;b\\>bold&lt;/b\\> # no heading",
    ):
        assert expected in card
    assert "\n# no heading" not in card


def test_a_card_of_no_facts_guesses_nothing(tmp_path: Path) -> None:
    card = (write_with_facts(tmp_path / "m", {}).folder / "README.md").read_text()
    assert "not stated" in card
    assert "What it reached" not in card
    assert "Trained on" not in card
