"""The page's Chinese holds what the server says: each setting and recipe, and the sentences that a user meets."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from partimento import files, isolation
from partimento.cli.cells import Plan, Wishes
from partimento.codec import Request
from partimento.codecs.cells.asking import Asked
from partimento.corpus import folders, inspect, readings
from partimento.errors import MEMORY, PLACE, ImpossibleRequest, TooLittleMusic
from partimento.files import read_bytes, to_bytes, write
from partimento.files.repair import KINDS
from partimento.files.repair import SAID as REPAIRED
from partimento.files.tidying import SAID as TIDIED
from partimento.filling.composition import Composition
from partimento.filling.tasks import Variation
from partimento.generation.requests import check
from partimento.instruments import program_named
from partimento.score import transpose
from partimento.studio import app, forms, jobs, models, safety, studio, workers
from partimento.studio.orders.composing import Accompany, Compose, Fill, Harmonise, Interpolate, Vary
from partimento.studio.orders.learning import Compare, Shrink
from partimento.studio.orders.looking import Audition, Evaluate, Inspect
from partimento.studio.orders.order import Desk, Order

from commands import ROOT
from music import tune, write_tunes

TEXTS = ROOT / "page" / "src" / "texts"
TEXT = r'"(?:[^"\\]|\\.)*"'
HOLE = re.compile(r"(\{=?\w+\})")
NUMBER = r"-?[\d.,]+%?"  # what a hole of one letter stands for


def words(name: str) -> dict[str, str]:
    """Pairs of a table, `"english": "chinese"`."""
    told = (TEXTS / name).read_text("utf-8")
    return {json.loads(one): json.loads(other) for one, other in re.findall(rf"({TEXT}):\s*({TEXT})", told)}


def pairs(*names: str) -> list[tuple[str, str]]:
    """Pairs of sentences with holes, `["english", "chinese"]`."""
    told = "".join((TEXTS / name).read_text("utf-8") for name in names)
    return [(json.loads(one), json.loads(other)) for one, other in re.findall(rf"\[({TEXT}),\s*({TEXT})\]", told)]


def pattern(english: str) -> re.Pattern[str]:
    """A sentence with any values in its holes."""
    kinds = {part: (NUMBER if len(part) == 3 else ".+") for part in HOLE.findall(english)}
    return re.compile("".join(kinds.get(part) or re.escape(part) for part in HOLE.split(english)))


PAIRS, TITLES = pairs("sentences-zh.ts", "refusals-zh.ts"), pairs("titles-zh.ts")
SENTENCES = [pattern(english) for english, _ in PAIRS]
WORDS = words("said-zh.ts")


def known(sentence: str) -> bool:
    """Whether the page has a sentence in Chinese."""
    return sentence in WORDS or any(one.fullmatch(sentence) for one in SENTENCES)


def settings() -> Iterator[tuple[str, str]]:
    for recipe in forms.recipes():
        for one in forms.form(recipe["name"])["settings"]:
            yield one["name"], one["help"]


def test_every_setting_has_a_chinese_name_and_help() -> None:
    there = words("settings-zh.ts")
    assert [name for name, _ in settings() if name not in there] == []
    assert [told for _, told in settings() if told not in there] == []


def test_no_setting_is_named_that_there_is_not() -> None:
    assert set(words("settings-zh.ts")) == {text for pair in settings() for text in pair}


def test_every_recipe_is_told_of_in_chinese() -> None:
    assert [recipe["about"] for recipe in forms.recipes() if recipe["about"] not in WORDS] == []


def test_both_sentences_of_a_pair_have_the_same_holes() -> None:
    for english, chinese in [*PAIRS, *TITLES]:
        assert sorted(HOLE.findall(english)) == sorted(HOLE.findall(chinese)), english


def test_no_sentence_is_there_twice() -> None:
    there = Counter([*(english for english, _ in PAIRS), *WORDS])
    assert [one for one, count in there.items() if count > 1] == []


BROKEN = {
    "empty.mid": b"",
    "zeros.mid": bytes(64),
    "text.mid": b"This is a text, and no music at all.",
    "cut.mid": b"MThd",
    "page.mid": b"<html>",
    "sound.mid": b"RIFF....WAVE",
    "packed.mid": b"PK\x03\x04",
    "odd.mid": b"\x01\x02\x03",
    "none.abc": b"T: nothing",
    "none.musicxml": b"<html/>",
    "none.krn": b"none",
    "none.mxl": b"PK\x03\x04",
    "notes.txt": b"x",
    "README": b"x",
}


def test_the_doctor_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "music"
    folder.mkdir()
    write(tune(1), folder / "a 1. b, c.mid")
    whole = to_bytes(tune(1))
    (folder / "same.mid").write_bytes(whole)
    for name, semitones in (("higher", 1), ("lower", -3)):
        write(transpose(tune(1), semitones), folder / f"{name}.mid")
    for name, content in BROKEN.items():
        (folder / name).write_bytes(content)
    (folder / "lost.mid").symlink_to("nowhere.mid")
    found = inspect(folder, workers=1)
    assert len(found.kept) == 1
    assert len(found.left_out) == len(BROKEN) + 4  # copies and a link besides
    for left in [*found.left_out, *inspect(folder, workers=1, sample=1).left_out]:
        assert known(left.reason), left.reason
        assert known(left.advice), left.advice


def test_what_is_mended_is_understood() -> None:
    whole = to_bytes(tune(1))
    broken = [b"junk" + whole, whole[:-40], whole.replace(b"MThd", b"MThx", 1)]
    told = [phrase for data in broken for phrase in read_bytes(data, "midi").repairs]
    counted = [both for said in (REPAIRED, TIDIED) for both in said.values()]
    told += [phrase.format(n=n) for both in counted for n, phrase in enumerate(both, start=1)]
    assert len(told) > 40
    assert [phrase for phrase in told if not known(phrase)] == []


def raised(path: Path, name: str) -> Iterator[str]:
    """The sentences of an exception that a file raises, word for word, with 7 for each value."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rsplit(".", 1)[-1] == name:
            yield from (said for said in map(literal, node.args) if said)


def literal(node: ast.expr) -> str:
    """A string that is written down, else nothing."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join("7" if isinstance(part, ast.FormattedValue) else literal(part) for part in node.values)
    return ""


def test_every_file_that_is_refused_is_refused_in_chinese() -> None:
    paths = [
        *Path(files.__file__).parent.glob("*.py"),
        *(Path(str(one.__file__)) for one in (folders, readings, isolation)),
    ]
    told = [said for path in paths for said in raised(path, "Unreadable")]
    told += [said for kind in KINDS for said in kind[1:] if said]
    assert len(told) > 60
    spelt = {"7 are not read.", "It is larger than 7.", "7: 7"}  # values that are more than numbers
    assert [said for said in told if not known(said) and said not in spelt] == []


def test_what_the_studio_refuses_is_refused_in_chinese() -> None:
    folder = Path(studio.__file__).parent
    names = ("corpora", "dropped", "jobs", "scores", "studio")
    told = [said for name in names for said in raised(folder / f"{name}.py", "ImpossibleRequest")]
    assert len(told) > 10
    constants = [app.NOT_THERE, safety.NOT_OURS, safety.ELSEWHERE, safety.TOKENLESS, safety.TOO_LARGE.format(most=64)]
    constants += [jobs.GONE, workers.STOPPED, workers.CRASHED, studio.NO_NOTES, MEMORY, PLACE]
    constants += [models.FILLS, models.NO_SPACE, models.GRIDS, models.SMALL, models.NO_PRODUCTS, models.NO_RUN]
    lacking = [said for said in [*told, *constants] if not known(said)]
    assert lacking == ["7 7; drop its files themselves."]  # its second value is words


def test_what_jobs_are_called_is_known_in_chinese() -> None:
    desk = Desk(Path(), str, Path, Path, lambda one: models.NAME if one == "shipped" else "茉莉花", lambda _: {})
    id = "0" * 12
    orders: list[Order] = [
        *(Compose(), Compose(prompt=id), Fill(piece=id), Vary(piece=id), Accompany(piece=id), Harmonise(piece=id)),
        *(Interpolate(first=id, second=id, model=id), Inspect(corpus=id), Audition(run=id), Compare(corpus=id)),
        *(Shrink(model=id), Evaluate(pieces=[id], like=id), Evaluate(pieces=[id, id], like=id)),
    ]
    titles = [pattern(english) for english, _ in TITLES]
    labels = [models.NAME, *(order.label(desk) for order in orders)]
    assert [label for label in labels if not any(one.fullmatch(label) for one in titles)] == []


IMPOSSIBLE: list[Callable[[], object]] = [
    lambda: Wishes(key="H").asked(),
    lambda: Wishes(chords="C Xq").asked(),
    lambda: Wishes(chords=" , ").asked(),
    lambda: Wishes(density="much").asked(),
    lambda: Wishes(density="99").asked(),
    lambda: Wishes(lowest="C9,C1", highest="C2").asked(),
    lambda: Wishes(lowest="low").asked(),
    lambda: Wishes(polyphony="1.5").asked(),
    lambda: Asked(key="C", lowest=61, highest=61),
    lambda: Asked(lowest=61, highest=61, chords=(0,)),
    lambda: Plan(varied=0.5).composition(8, None, None),  # type: ignore[arg-type]
    lambda: Plan().composition(8, 10.0, None),  # type: ignore[arg-type]
    lambda: Plan(metre="three").composition(8, None, None),  # type: ignore[arg-type]
    lambda: Plan(form="AABA").composition(9, None, None),  # type: ignore[arg-type]
    lambda: Composition(bars=0),
    lambda: Composition(bars=8, form="A1"),
    lambda: Composition(bars=8, varied=2),
    lambda: Composition(bars=8, metre=(4, 5)),
    lambda: Composition(bars=8, tempo=5000),
    lambda: Variation(share=2),
    lambda: check(Request(bars=10**6), 1, 0),
    lambda: check(Request(), 0, 0),
    lambda: check(Request(), 1, -1),
]


@pytest.mark.parametrize("wish", IMPOSSIBLE)
def test_impossible_wishes_are_refused_in_chinese(wish: Callable[[], object]) -> None:
    with pytest.raises(ImpossibleRequest) as refusal:
        wish()
    assert known(str(refusal.value)), refusal.value


def test_too_little_music_is_told_of_in_chinese(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for seeds in ((), (1,), (1, 2)):
        write_tunes(Path("music"), seeds, 4)
        Path("music").mkdir(exist_ok=True)
        with pytest.raises(TooLittleMusic) as refusal:
            inspect(Path("music"), workers=1).require_enough()
        assert all(known(part) for part in re.split(r" (?=`)", str(refusal.value))), refusal.value


def test_an_instrument_that_there_is_not_is_refused_in_chinese() -> None:
    with pytest.raises(ImpossibleRequest, match="Did you mean") as refusal:
        program_named("voilin")
    assert all(known(part) for part in re.split(r" (?=Did)", str(refusal.value))), refusal.value
