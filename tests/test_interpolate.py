from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from partimento.atomic import UNFINISHED
from partimento.bundle import Bundle, write_bundle
from partimento.cli import app
from partimento.codecs.roll import Roll
from partimento.errors import ImpossibleRequest, InvalidSettings, PartimentoError
from partimento.files import read, write
from partimento.interpolation import Journey, brought_back, interpolate_into, open_latent, settings_of, slerp
from partimento.players.graph import Settings
from partimento.progress import Progress
from partimento.score import Note, Score, TimeSignature, Track, end_tick, note_array

from little import Crotchets
from little import write_player as write_step_player

STEPS, P = 8, 12
CELLS = STEPS * 2 * P
CODEC = {"low": 60, "pitches": P, "steps_per_beat": 2}


def value(name: str, *shape: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", *shape])


def saved(path: Path, nodes: list[Any], takes: Any, gives: list[Any], **constants: NDArray[Any]) -> None:
    kept = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "graph", [takes], gives, kept),
        opset_imports=[helper.make_opsetid("", 21)],
        ir_version=10,
    )
    onnx.checker.check_model(model)
    onnx.save(model, path)


def exact_player(folder: Path, encodes: bool = True) -> str:
    """A space with a dimension for each cell: mean = x - 0.5, logits = 20 z. Whatever goes in comes back."""
    up = [1.0] * CELLS
    facts = {"player": "graph", "latent": CELLS, "steps": STEPS, "channels": 2, "pitches": P, "align": 4}
    (folder / "player.json").write_text(json.dumps({**facts, "attributes": {"loud": up}}))
    nodes = [
        helper.make_node("Mul", ["z", "twenty"], ["row"]),
        helper.make_node("Reshape", ["row", "shape"], ["logits"]),
    ]
    shape, twenty = np.array([-1, STEPS, 2, P]), np.array(20, np.float32)
    saved(folder / "decode.onnx", nodes, value("z", CELLS), [value("logits", STEPS, 2, P)], shape=shape, twenty=twenty)
    nodes = [
        helper.make_node("Reshape", ["x", "flat"], ["row"]),
        helper.make_node("Sub", ["row", "half"], ["mean"]),
        helper.make_node("Abs", ["mean"], ["deviation"]),
    ]
    gives = [value("mean", CELLS), value("deviation", CELLS)]
    flat, half = np.array([-1, CELLS]), np.array(0.5, np.float32)
    if encodes:
        saved(folder / "encode.onnx", nodes, value("x", STEPS, 2, P), gives, flat=flat, half=half)
    return "graph"


def bundle_in(folder: Path, encodes: bool = True) -> Bundle:
    return write_bundle(
        folder,
        recipe={"codec": {"name": "roll", **CODEC}, "model": {"name": "vae" if encodes else "gan"}},
        codec_name="roll",
        codec=Roll(Roll.Settings(**CODEC)),
        model_name="vae" if encodes else "gan",
        arrays={"weight": np.zeros(1, np.float32)},
        export=lambda player: exact_player(player, encodes),
        facts={},
    )


def tune(*pitches: int, length: int = 1, bars_of: int = 4, silence: int = 0) -> Score:
    """A crotchet or longer for each pitch, after some bars of silence."""
    score = Score(4)
    score.time_signatures.append(TimeSignature(0, bars_of, 4))
    track = Track("", 0)
    begin = silence * bars_of * 4
    track.notes.extend(Note(begin + n * 4 * length, 4 * length, pitch, 80) for n, pitch in enumerate(pitches))
    score.tracks.append(track)
    return score


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundle_in(tmp_path_factory.mktemp("bundle"))


A, B = tune(60, 62, 64, 65), tune(71, 69, 67, 65)


def pitches_of(path: Path) -> list[int]:
    found: list[int] = note_array(read(path).score)["pitch"].tolist()
    return found


# the way


points = st.lists(st.floats(-3, 3), min_size=4, max_size=4).map(np.array)


@given(points, points, st.floats(0, 1))
def test_the_way_begins_and_ends_where_it_should_and_may_be_walked_back(a: Any, b: Any, share: float) -> None:
    np.testing.assert_allclose(slerp(a, b, 0.0), a, atol=1e-6)
    np.testing.assert_allclose(slerp(a, b, 1.0), b, atol=1e-6)
    np.testing.assert_allclose(slerp(a, b, share), slerp(b, a, 1 - share), atol=1e-6)


@given(st.integers(0, 1000), st.floats(0, 1))
def test_between_points_of_a_sphere_it_stays_on_it(seed: int, share: float) -> None:
    a, b = np.random.default_rng(seed).normal(size=(2, 5, 8))
    a, b = (p / np.linalg.norm(p, axis=-1, keepdims=True) for p in (a, b))
    np.testing.assert_allclose(np.linalg.norm(slerp(a, b, share), axis=-1), 1, atol=1e-6)


def test_its_steps_are_equal_angles() -> None:
    a, b = np.array([2.0, 0.0]), np.array([0.0, 2.0])
    found = [slerp(a, b, share) for share in np.linspace(0, 1, 7)]
    angles = [np.degrees(np.arctan2(y, x)) for x, y in found]
    assert angles == pytest.approx([0, 15, 30, 45, 60, 75, 90])


def test_opposite_points_and_nothing_are_no_trouble() -> None:
    for a, b in (([1.0, 0.0], [-1.0, 0.0]), ([0.0, 0.0], [1.0, 2.0]), ([1.0, 1.0], [1.0, 1.0])):
        assert np.isfinite(slerp(np.array(a), np.array(b), 0.3)).all()


# the pieces


def test_it_writes_each_piece_and_all_in_a_row(bundle: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "way"
    remarks = interpolate_into(folder, bundle, (A, B), Journey(steps=3), names=("a.mid", "b.mid"), sound="flac")
    names = ["001", "002", "003", "all"]
    expected = {f"{name}.{suffix}" for name in names for suffix in ("mid", "png", "flac")} | {"interpolation.json"}
    assert {path.name for path in folder.iterdir()} == expected
    assert all(path.stat().st_size for path in folder.iterdir())
    assert pitches_of(folder / "001.mid") == [60, 62, 64, 65]
    assert pitches_of(folder / "003.mid") == [71, 69, 67, 65]
    assert "4 of 4 notes of a.mid" in remarks[0]
    assert "4 of 4 notes of b.mid" in remarks[1]
    pieces = [read(folder / f"{name}.mid").score for name in names]
    whole = note_array(pieces[3])
    phrase = 4 * pieces[3].ticks_per_quarter  # a bar of four crotchets
    at = 0
    for number, piece in enumerate(pieces[:3]):
        notes = note_array(piece)
        part = whole[at : at + len(notes)]
        np.testing.assert_array_equal(part["onset"], notes["onset"] + number * phrase)
        np.testing.assert_array_equal(part["pitch"], notes["pitch"])
        at += len(notes)
    assert at == len(whole)
    assert len(pieces[3].tempos) == 1


def test_the_facts_say_how_it_came_to_be(bundle: Bundle, tmp_path: Path) -> None:
    journey = Journey(steps=4, seed=3, temperature=0.5, player=Settings(attributes={"loud": 0.1}))
    interpolate_into(tmp_path / "way", bundle, (A, B), journey, names=("a.mid", "b.mid"), sound="none")
    facts = json.loads((tmp_path / "way" / "interpolation.json").read_text())
    assert facts["model"] == bundle.digest
    assert (facts["from"], facts["to"], facts["steps"], facts["seed"]) == ("a.mid", "b.mid", 4, 3)
    assert facts["player"]["attributes"] == {"loud": 0.1}
    assert [stage["share"] for stage in facts["made"]] == pytest.approx([0, 1 / 3, 2 / 3, 1], abs=1e-5)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_same_is_made_again(bundle: Bundle, tmp_path: Path, temperature: float) -> None:
    journey = Journey(steps=3, seed=5, temperature=temperature)
    for name in ("one", "same"):
        interpolate_into(tmp_path / name, bundle, (A, B), journey, sound="wav")
    one, same = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("one", "same"))
    assert one == same


def test_a_seed_decides_only_above_temperature_nought(bundle: Bundle, tmp_path: Path) -> None:
    def made(seed: int, temperature: float) -> list[bytes]:
        folder = tmp_path / f"{seed}-{temperature}"
        interpolate_into(folder, bundle, (A, B), Journey(steps=2, seed=seed, temperature=temperature), sound="none")
        return [path.read_bytes() for path in sorted(folder.glob("*.mid"))]

    assert made(1, 0.0) == made(2, 0.0)
    assert made(1, 20.0) != made(2, 20.0)


def test_bars_are_the_pieces_own(bundle: Bundle, tmp_path: Path) -> None:
    waltz = tune(60, 62, 64, 65, 67, 69, 71, 60, 62, bars_of=3, silence=2)
    interpolate_into(tmp_path / "bars", bundle, (waltz, waltz), Journey(steps=2, bars=2), sound="none")
    assert pitches_of(tmp_path / "bars" / "001.mid") == [60, 62, 64, 65, 67, 69]
    interpolate_into(tmp_path / "phrase", bundle, (waltz, waltz), Journey(steps=2), sound="none")
    assert pitches_of(tmp_path / "phrase" / "001.mid") == [60, 62, 64, 65]


def test_the_shorter_piece_decides(bundle: Bundle, tmp_path: Path) -> None:
    longer = tune(*[60, 62, 64, 65] * 3)
    remarks = interpolate_into(tmp_path / "way", bundle, (longer, B), Journey(steps=2, bars=3), sound="none")
    assert "shorter" in remarks[0]
    score = read(tmp_path / "way" / "001.mid").score
    assert end_tick(score) == 4 * score.ticks_per_quarter


def test_attributes_move_all(bundle: Bundle, tmp_path: Path) -> None:
    journey = Journey(steps=2, player=Settings(attributes={"loud": 5.0}))
    interpolate_into(tmp_path / "way", bundle, (A, B), journey, sound="none")
    assert len(pitches_of(tmp_path / "way" / "001.mid")) == STEPS * P  # every cell is struck


def test_notes_that_come_back_are_counted() -> None:
    x, y = np.zeros((2, 1, 8, 2, P), np.float32)
    x[0, [0, 2, 4], 0, [1, 2, 3]] = 1
    y[0, [0, 2, 5], 0, [1, 2, 3]] = 1
    assert brought_back(x, y) == (2, 3)
    assert brought_back(x[..., :1, :], y[..., :1, :]) == (2, 3)


# refusals


def test_a_model_without_a_space_is_refused(tmp_path: Path) -> None:
    step = write_bundle(
        tmp_path / "step",
        recipe={},
        codec_name="crotchets",
        codec=Crotchets(Crotchets.Settings()),
        model_name="lstm",
        arrays={},
        export=write_step_player,
        facts={},
    )
    with pytest.raises(ImpossibleRequest, match=r"'lstm', which has no space.*--recipe vae"):
        open_latent(step)
    with pytest.raises(ImpossibleRequest, match=r"'gan'.*cannot say where.*--recipe vae"):
        open_latent(bundle_in(tmp_path / "gan", encodes=False))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"steps": 1}, "2 to 1,000 steps"),
        ({"steps": 10**9}, "steps"),
        ({"steps": 2, "bars": 0}, "bars"),
        ({"steps": 2, "seed": -1}, "seed"),
    ],
)
def test_journeys_to_nowhere_are_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ImpossibleRequest, match=said):
        Journey(**more)


@pytest.mark.parametrize(
    ("first", "more", "said"),
    [
        (tune(20, 21), {}, "a.mid has no note"),
        (Score(4), {}, "a.mid has no note"),
        (A, {"temperature": -1.0}, "temperature"),
        (A, {"player": Settings(attributes={"joy": 1.0})}, "no attribute 'joy'"),
    ],
)
def test_what_cannot_be_leaves_nothing_behind(
    bundle: Bundle, tmp_path: Path, first: Score, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(PartimentoError, match=said):
        interpolate_into(tmp_path / "way", bundle, (first, B), Journey(steps=2, **more), names=("a.mid", "b.mid"))
    assert not (tmp_path / "way").exists()


def test_a_folder_with_something_in_it_is_left_alone(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ImpossibleRequest, match="already holds something"):
        interpolate_into(tmp_path, bundle, (A, B), Journey(steps=2))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError])
def test_what_is_stopped_leaves_nothing_in_the_way(
    bundle: Bundle, tmp_path: Path, stop: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(event: Progress) -> None:
        if event.done == 2:
            raise stop

    for folder in (tmp_path / "new", tmp_path / "empty"):
        if folder.name == "empty":
            folder.mkdir()
        with pytest.raises(stop):
            interpolate_into(folder, bundle, (A, B), Journey(steps=3), sound="none", watch=half)
        assert not (tmp_path / "new").exists()
        assert not list(tmp_path.glob("empty/*"))
    (tmp_path / "empty" / f"{UNFINISHED}killed").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    interpolate_into(Path(), bundle, (A, B), Journey(steps=3), sound="none")
    names = {f"{name}.{suffix}" for name in ("001", "002", "003", "all") for suffix in ("mid", "png")}
    assert {path.name for path in Path().iterdir()} == {*names, "interpolation.json"}


def test_what_is_of_no_effect_between_two_pieces_is_refused(bundle: Bundle) -> None:
    with pytest.raises(InvalidSettings, match=r"player\.walk is of no effect"):
        settings_of(bundle, ["player.attributes.loud=1", "player.walk=0.5"])
    with pytest.raises(InvalidSettings, match=r"no setting player\.wlak"):
        settings_of(bundle, ["player.wlak=0.5"])


def test_the_command(bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, score in (("a.mid", A), ("b.mid", B)):
        write(score, tmp_path / name)
    files = [str(tmp_path / "a.mid"), str(tmp_path / "b.mid")]
    to = ["--to", str(tmp_path / "way"), "--sound", "none"]
    with pytest.raises(SystemExit) as ended:
        app(
            [
                "interpolate",
                *files,
                *to,
                "--steps",
                "4",
                "--model",
                str(bundle.folder),
                "--set",
                "player.attributes.loud=0.1",
            ]
        )
    assert ended.value.code in (0, None)
    assert "4 of 4 notes of a.mid come back" in capsys.readouterr().out
    assert len(list((tmp_path / "way").glob("*.mid"))) == 5
    facts = json.loads((tmp_path / "way" / "interpolation.json").read_text())
    assert facts["player"]["attributes"] == {"loud": 0.1}
    with pytest.raises(ImpossibleRequest, match="--model"):
        app(["interpolate", *files, "--to", str(tmp_path / "other")])
