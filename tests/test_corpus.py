"""The corpus doctor: every file is accounted for, copies are found, near-copies never straddle the split."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partimento import corpus as corpus_module
from partimento import files
from partimento.corpus import Corpus, cache, cache_folder, inspect, readings
from partimento.corpus.cache import packed, unpacked
from partimento.corpus.readings import score_hash
from partimento.corpus.splits import Split, split
from partimento.corpus.statistics import Summary, facts, key_of
from partimento.errors import InvalidSettings, TooLittleMusic, Unreadable
from partimento.progress import Progress
from partimento.score import KeySignature, Note, Score, Tempo, TimeSignature, Track, note_array, transpose
from test_passages import tune

from music import scores


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees or leaves anything in the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "partimento"


def folder_of(path: Path, pieces: dict[str, Score | bytes]) -> Path:
    for name, piece in pieces.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(piece if isinstance(piece, bytes) else piece.dumps_midi())
    return path


def tunes(count: int) -> dict[str, Score | bytes]:
    return {f"{seed:02}.mid": tune(seed) for seed in range(count)}


def accounted(corpus: Corpus) -> list[str]:
    return sorted([p.path for p in corpus.kept] + [p.path for p in corpus.left_out])


def reason(corpus: Corpus, path: str) -> str:
    (found,) = [left.reason for left in corpus.left_out if left.path == path]
    return found


# Reading a folder


def test_every_file_is_kept_or_left_out_with_a_reason(tmp_path: Path) -> None:
    pieces = {
        **tunes(3),
        "deep/er/TUNE.MID": tune(10),
        ".hidden/.also.mid": tune(11),
        "with spaces & ümläut.mid": tune(12),
        "empty.mid": b"",
        "text.mid": b"This is no music at all." * 20,
        "silent.mid": Score(480),
        "README.md": b"# Music",
        "no suffix": b"?",
        ".DS_Store": b"\0",
    }
    folder = folder_of(tmp_path / "music", pieces)
    corpus = inspect(folder, workers=1)
    assert accounted(corpus) == sorted(pieces)
    assert {left.path for left in corpus.left_out} == {
        "empty.mid", "text.mid", "silent.mid", "README.md", "no suffix", ".DS_Store",
    }  # fmt: skip
    assert all(left.reason.endswith(".") and left.advice.endswith(".") for left in corpus.left_out)
    assert corpus.statistics["files"] == len(pieces)
    assert corpus.statistics["left_out"] == {"unreadable": 3, "not music": 3}
    assert [piece.path for piece in corpus.kept] == sorted(piece.path for piece in corpus.kept)


def test_links_loops_and_pipes_are_accounted_for(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "music", {"a/1.mid": tune(1)})
    outside = folder_of(tmp_path / "outside", {"2.mid": tune(2)})
    (folder / "a" / "loop").symlink_to(folder)
    (folder / "self").symlink_to("self")
    (folder / "linked").symlink_to(outside)
    (folder / "nowhere.mid").symlink_to(tmp_path / "nowhere")
    (folder / "file.mid").symlink_to(folder / "a" / "1.mid")
    os.mkfifo(folder / "pipe.mid")
    corpus = inspect(folder, workers=1)
    assert [piece.path for piece in corpus.kept] == ["a/1.mid", "linked/2.mid"]
    assert sorted(left.path for left in corpus.left_out) == ["a/loop", "file.mid", "nowhere.mid", "pipe.mid", "self"]
    assert "a/1.mid, byte for byte" in reason(corpus, "file.mid")


def test_names_that_are_no_text_can_be_printed_and_written(tmp_path: Path) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    for name in (b"caf\xe9.mid", b"caf\xe9.txt"):
        try:
            (Path(os.fsdecode(os.fsencode(folder) + b"/" + name))).write_bytes(tune(1).dumps_midi())
        except OSError:
            pytest.skip("this file system takes only names that are UTF-8")
    corpus = inspect(folder, workers=1)
    assert accounted(corpus) == ["caf\\xe9.mid", "caf\\xe9.txt"]
    json.dumps(corpus.to_json(), ensure_ascii=False).encode("utf-8")
    assert corpus.score(corpus.kept[0]).note_num() == corpus.kept[0].notes


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_left_out(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "music", {**tunes(1), "locked.mid": tune(5), "shut/6.mid": tune(6)})
    (folder / "locked.mid").chmod(0)
    (folder / "shut").chmod(0)
    try:
        corpus = inspect(folder, workers=1)
    finally:
        (folder / "shut").chmod(0o700)
    assert accounted(corpus) == ["00.mid", "locked.mid", "shut"]
    assert all("ermission" in left.reason for left in corpus.left_out)


def test_a_file_that_cannot_be_opened_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> str:
        if path.name == "01.mid":
            raise PermissionError(13, "Permission denied")
        return original(path)

    original = readings.content_hash
    monkeypatch.setattr(readings, "content_hash", refuse)
    corpus = inspect(folder_of(tmp_path / "music", tunes(3)), workers=1)
    assert accounted(corpus) == ["00.mid", "01.mid", "02.mid"]
    assert reason(corpus, "01.mid") == "It cannot be opened (Permission denied)."


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="There is no folder"):
        inspect(tmp_path / "nowhere")
    (tmp_path / "file.mid").write_bytes(tune(1).dumps_midi())
    with pytest.raises(Unreadable, match="is a file"):
        inspect(tmp_path / "file.mid")
    with pytest.raises(InvalidSettings, match="at least 1"):
        inspect(tmp_path, sample=0)


def test_an_empty_folder_has_no_music(tmp_path: Path) -> None:
    corpus = inspect(tmp_path, workers=1)
    assert corpus.kept == corpus.left_out == ()
    assert corpus.statistics["notes"] == 0
    json.dumps(corpus.to_json())
    with pytest.raises(TooLittleMusic, match="no pieces"):
        corpus.require_enough()


# Copies


def test_copies_are_left_out_and_named(tmp_path: Path) -> None:
    original = tune(1)
    slower = original.copy()
    slower.tempos[0].qpm = 50.0
    folder = folder_of(
        tmp_path / "music",
        {
            "a.mid": original,
            "b.mid": original,
            "c/renamed.kar": original,
            "d.mid": transpose(original, 3),
            "e.mid": transpose(original, -1),
            "f.mid": slower,
            "g.mid": original.resample(120, min_dur=1),
            "other.mid": tune(2),
            "z1.mid": b"broken",
            "z2.mid": b"broken",
        },
    )
    corpus = inspect(folder, workers=1)
    assert [piece.path for piece in corpus.kept] == ["a.mid", "other.mid"]
    assert reason(corpus, "b.mid") == "It repeats a.mid, byte for byte."
    assert reason(corpus, "c/renamed.kar") == "It repeats a.mid, byte for byte."
    assert reason(corpus, "d.mid") == "It is the same music as a.mid, 3 semitones higher."
    assert reason(corpus, "e.mid") == "It is the same music as a.mid, 1 semitone lower."
    assert reason(corpus, "f.mid") == reason(corpus, "g.mid") == "It is the same music as a.mid."
    assert reason(corpus, "z1.mid") == reason(corpus, "z2.mid")
    assert corpus.statistics["left_out"] == {"duplicate": 6, "unreadable": 2}


def variants(seed: int, count: int) -> list[Score]:
    """Near-copies of a tune: each with a few other notes somewhere, in another key."""
    rng = np.random.default_rng(seed)
    made = []
    for index in range(count):
        score = tune(seed, length=80)
        at = int(rng.integers(0, 70))
        for note in score.tracks[0].notes[at : at + 6]:
            note.pitch = int(rng.integers(60, 80))
        made.append(transpose(score, index))
    return made


def test_near_copies_stay_and_never_straddle_the_split(tmp_path: Path) -> None:
    pieces: dict[str, Score | bytes] = {}
    for family in range(12):
        for index, score in enumerate(variants(family, 4)):
            pieces[f"{index}/{(family * 7 + index) % 12:02}-{family}.mid"] = score
    corpus = inspect(folder_of(tmp_path / "music", pieces), workers=1)
    assert len(corpus.kept) == 48
    assert corpus.statistics["groups"] == 12
    families: dict[str, set[tuple[str, str | None]]] = {}
    for piece in corpus.kept:
        families.setdefault(piece.path.rpartition("-")[2], set()).add((piece.split, piece.near_copies))
    assert all(len(found) == 1 for found in families.values())
    assert Counter(found.pop()[0] for found in families.values()) == {"train": 8, "valid": 2, "test": 2}
    assert corpus.statistics["near_copies"] == 48


def abc(number: int, title: str, seed: int) -> str:
    """A tune of 64 random eighths in ABC."""
    letters = np.random.default_rng(seed).choice(list("CDEFGABcdefg"), size=64)
    bars = "|".join("".join(letters[at : at + 8]) for at in range(0, 64, 8))
    return f"X:{number}\nT:{title}\nM:4/4\nL:1/8\nK:C\n{bars}|]\n"


def test_the_tunes_of_a_book_are_pieces_of_their_own(tmp_path: Path) -> None:
    book = "\n".join([abc(1, "The One", 1), abc(2, "The Other", 2), abc(3, "The One Again", 1), abc(4, "Third", 3)])
    pieces: dict[str, Score | bytes] = {
        "book.abc": book.encode(),
        "copy.abc": book.encode(),
        "single.abc": abc(1, "The Other", 2).encode(),
    }
    folder = folder_of(tmp_path / "music", pieces)
    corpus = inspect(folder, workers=1)
    assert [(p.path, p.tune) for p in corpus.kept] == [
        ("book.abc", "1 The One"), ("book.abc", "2 The Other"), ("book.abc", "4 Third"),
    ]  # fmt: skip
    assert [(left.path, left.reason) for left in corpus.left_out] == [
        ("book.abc", "Tune 3 The One Again: It is the same music as book.abc, tune 1 The One."),
        ("copy.abc", "It repeats book.abc, byte for byte."),
        ("single.abc", "It is the same music as book.abc, tune 2 The Other."),
    ]
    assert corpus.statistics["files"] == 3
    again = inspect(folder, workers=1)
    assert again.to_json() == corpus.to_json()
    first, second = (note_array(corpus.score(piece))["pitch"].tolist() for piece in corpus.kept[:2])
    assert len(first) == len(second) == 64
    assert first != second
    assert len(inspect(folder, sample=2, workers=1).kept) == 2


# The split


@settings(deadline=None)
@given(st.dictionaries(st.text("0123456789abcdef", min_size=4, max_size=4), st.integers(1, 5000), max_size=60))
def test_the_split_is_a_tenth_each_with_two_groups_at_least(groups: dict[str, int]) -> None:
    found = split(list(groups), list(groups.values()))
    counts, notes = Counter(found), Counter[Split]()
    for name, size in zip(found, groups.values(), strict=True):
        notes[name] += size
    expected = {0: (0, 0, 0), 1: (1, 0, 0), 2: (1, 1, 0)}.get(len(groups), (len(groups) - 2, 1, 1))
    if len(groups) < 6:
        assert (counts["train"], counts["valid"], counts["test"]) == expected
        return
    assert counts["train"] >= 2
    for name in ("valid", "test"):
        assert counts[name] >= 2
        if len(groups) >= 30 and max(groups.values()) <= 0.05 * sum(groups.values()):
            assert 0.07 <= notes[name] / sum(groups.values()) <= 0.13


@settings(deadline=None)
@given(st.lists(st.integers(1, 500), min_size=6, max_size=60), st.randoms())
def test_the_split_does_not_depend_on_order(sizes: list[int], random: object) -> None:
    keys = [f"{(7919 * index) % 10007:05}" for index in range(len(sizes))]
    order = list(range(len(sizes)))
    random.shuffle(order)  # type: ignore[attr-defined]
    found = split(keys, sizes)
    shuffled = split([keys[i] for i in order], [sizes[i] for i in order])
    assert [found[i] for i in order] == shuffled


def test_a_new_piece_moves_few_others() -> None:
    rng = np.random.default_rng(0)
    keys = [f"{key:016x}" for key in rng.integers(0, 2**62, 201)]
    sizes = rng.integers(50, 3000, 201).tolist()
    for without in range(0, 201, 10):
        fewer = split(keys[:without] + keys[without + 1 :], sizes[:without] + sizes[without + 1 :])
        all_of_them = split(keys, sizes)
        del all_of_them[without]
        assert sum(a != b for a, b in zip(fewer, all_of_them, strict=True)) <= 4


def test_the_split_follows_the_music_not_the_names(tmp_path: Path) -> None:
    one = inspect(folder_of(tmp_path / "one", tunes(20)), workers=1)
    renamed = {f"{(seed * 13) % 20}/x{seed}.mid": tune(seed) for seed in range(20)}
    other = inspect(folder_of(tmp_path / "other", renamed), workers=2)
    assert {p.sha256: p.split for p in one.kept} == {p.sha256: p.split for p in other.kept}
    assert one.digest == other.digest
    notes = {name: sum(p.notes for p in one.pieces(name)) for name in ("train", "valid", "test")}
    assert {name: entry["notes"] for name, entry in one.statistics["splits"].items()} == notes
    assert len(one.pieces("valid")) >= 2
    assert len(one.pieces("test")) >= 2


def test_the_digest_changes_with_the_music(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "music", tunes(8))
    before = inspect(folder, workers=1).digest
    louder = tune(3)
    louder.tracks[0].notes[0].velocity += 1
    (folder / "03.mid").write_bytes(louder.dumps_midi())
    assert inspect(folder, workers=1).digest != before


def test_too_little_music_is_said_when_one_wants_to_train(tmp_path: Path) -> None:
    few = inspect(folder_of(tmp_path / "few", tunes(5)), workers=1)
    assert not few.statistics["enough_to_train"]
    with pytest.raises(TooLittleMusic, match="5 pieces"):
        few.require_enough()
    enough = inspect(folder_of(tmp_path / "enough", tunes(6)), workers=1)
    enough.require_enough()
    assert [len(enough.pieces(name)) for name in ("train", "valid", "test")] == [2, 2, 2]


# The cache


def test_a_second_run_reads_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    folder = folder_of(tmp_path / "music", {**tunes(8), "broken.mid": b"MThd, or so"})
    before = sorted(folder.iterdir())
    first = inspect(folder, workers=1)
    monkeypatch.setattr(files, "read", lambda *_: pytest.fail("a file was read"))
    monkeypatch.setattr(readings, "take", lambda *_: pytest.fail("a worker was asked"))
    (folder / "03.mid").rename(folder / "renamed.mid")
    shutil.copy(folder / "04.mid", folder / "copied.mid")
    (folder / "broken.mid").rename(folder / "still broken.mid")
    second = inspect(folder, workers=1)
    assert first.digest == second.digest
    assert len(second.left_out) == 2
    assert [second.score(piece).note_num() for piece in second.kept] == [60] * 8
    (folder / "renamed.mid").rename(folder / "03.mid")
    (folder / "still broken.mid").rename(folder / "broken.mid")
    (folder / "copied.mid").unlink()
    assert inspect(folder, workers=1).to_json() == first.to_json()
    assert sorted(folder.iterdir()) == before, "nothing is written where the music is"
    assert own_cache.is_dir()


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "music", tunes(2))
    inspect(folder, workers=1)
    (folder / "00.mid").write_bytes(tune(50, length=33).dumps_midi())
    assert [piece.notes for piece in inspect(folder, workers=1).kept] == [33, 60]


def test_other_limits_are_another_reading(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "music", tunes(1))
    assert len(inspect(folder, workers=1).kept) == 1
    assert len(inspect(folder, workers=1, limits=files.Limits(notes=10)).kept) == 0
    assert len(inspect(folder, workers=1).kept) == 1


@pytest.mark.parametrize("damage", ["text", "cut", "holes"])
def test_a_damaged_cache_is_moved_aside(tmp_path: Path, own_cache: Path, damage: str) -> None:
    folder = folder_of(tmp_path / "music", tunes(30))
    first = inspect(folder, workers=1)
    (path,) = own_cache.glob("*.sqlite3")
    content = bytearray(path.read_bytes())
    if damage == "text":
        content = bytearray(b"no database " * 1000)
    elif damage == "cut":
        content = content[: len(content) // 2]
    else:
        content[4096:] = bytes(len(content) - 4096)
    path.write_bytes(content)
    remarks: list[str] = []
    corpus = inspect(folder, workers=1, watch=lambda event: remarks.append(event.remark))
    assert corpus.to_json() == first.to_json()
    said = [remark for remark in remarks if remark]
    assert len(said) == 1
    assert "damaged" in said[0]
    assert (own_cache / "readings-2.damaged").exists()
    remarks.clear()
    assert [corpus.score(piece).note_num() for piece in corpus.kept] == [60] * 30
    inspect(folder, workers=1, watch=lambda event: remarks.append(event.remark))
    assert not any(remarks)


def test_without_a_cache_all_works_and_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "occupied").write_text("a file where the cache's folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "occupied"))
    folder = folder_of(tmp_path / "music", tunes(7))
    remarks: list[str] = []
    corpus = inspect(folder, workers=1, watch=lambda event: remarks.append(event.remark))
    assert len(corpus.kept) == 7
    assert [("cannot be kept" in remark) for remark in remarks if remark] == [True]
    assert corpus.score(corpus.kept[0]).note_num() == 60


def test_a_full_disk_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "WAITING_ROWS", 2)
    connect = sqlite3.connect

    def small(path: Path, timeout: float) -> sqlite3.Connection:
        connection = connect(path, timeout=timeout)
        connection.execute("PRAGMA max_page_count = 4")
        return connection

    monkeypatch.setattr(sqlite3, "connect", small)
    folder = folder_of(tmp_path / "music", tunes(12))
    remarks: list[str] = []
    corpus = inspect(folder, workers=1, watch=lambda event: remarks.append(event.remark))
    assert len(corpus.kept) == 12
    assert ["full" in remark for remark in remarks if remark] == [True]


def test_the_score_is_the_one_that_was_read(tmp_path: Path, own_cache: Path) -> None:
    folder = folder_of(tmp_path / "music", {"a.mid": tune(1, tracks=3), "b.mid": tune(2)})
    corpus = inspect(folder, workers=1)
    piece = corpus.kept[0]
    direct = files.read(folder / "a.mid", files.Limits()).score
    assert corpus.score(piece) == direct
    shutil.rmtree(own_cache)
    assert corpus.score(piece) == direct, "read again where the cache is gone"
    shutil.rmtree(own_cache)
    (folder / "a.mid").write_bytes(tune(9).dumps_midi())
    with pytest.raises(Unreadable, match=r"a\.mid has changed"):
        corpus.score(piece)
    (folder / "a.mid").unlink()
    with pytest.raises(Unreadable, match=r"a\.mid has changed"):
        corpus.score(piece)


def test_two_processes_share_the_cache(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "music", tunes(40))
    program = (
        f"from partimento.corpus import inspect; from pathlib import Path; print(inspect(Path({str(folder)!r})).digest)"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    ended = [run.communicate(timeout=60) for run in runs]
    assert {out for out, _ in ended} == {inspect(folder, workers=1).digest + "\n"}
    assert {err for _, err in ended} == {""}


def test_the_cache_is_where_xdg_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == tmp_path / "cache" / "partimento"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/void")
    assert cache_folder() == Path.home() / ".cache" / "partimento"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "partimento"


@settings(deadline=None)
@given(scores())
def test_a_packed_score_comes_back_equal_or_not_at_all(score: Score) -> None:
    data = packed(score)
    again = unpacked(data)
    assert again is not None
    assert score_hash(again) == score_hash(score) == score_hash(score.copy())
    assert (note_array(again) == note_array(score)).all()
    assert unpacked(data[:-1]) is None
    assert unpacked(b"") is None


# Samples, progress, reports


def test_a_sample_is_drawn_from_what_serves(tmp_path: Path) -> None:
    pieces = tunes(20) | {f"broken {n}.mid": b"?" for n in range(20)} | {f"copy {n}.mid": tune(n) for n in range(20)}
    folder = folder_of(tmp_path / "music", pieces)
    one, again, other = (inspect(folder, sample=8, seed=seed, workers=1) for seed in (1, 1, 2))
    assert len(one.kept) == 8
    assert one.to_json() == again.to_json()
    assert [p.path for p in one.kept] != [p.path for p in other.kept]
    assert accounted(one) == sorted(pieces)
    assert len({piece.sha256 for piece in one.kept}) == 8
    everything = inspect(folder, sample=1000, workers=1)
    assert len(everything.kept) == 20


def test_progress_counts_every_file(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "music", {**tunes(9), "broken.mid": b"?"})
    for _ in range(2):
        events: list[Progress] = []
        inspect(folder, workers=1, watch=events.append)
        assert {(event.job, event.total, event.unit) for event in events} == {("Reading files", 10, "files")}
        assert events[-1].done == 10
        assert [event.done for event in events] == sorted(event.done for event in events)


def test_the_report_is_plain_json(tmp_path: Path) -> None:
    corpus = inspect(folder_of(tmp_path / "music", {**tunes(7), "README.txt": b"?"}), workers=1)
    report = json.loads(json.dumps(corpus.to_json()))
    assert set(report) == {"kept", "left_out", "statistics"}
    assert {"path", "sha256", "split", "notes", "seconds", "repairs"} <= set(report["kept"][0])
    assert set(report["left_out"][0]) == {"path", "reason", "advice"}
    assert str(tmp_path) not in json.dumps(report), "paths are relative to the folder"
    assert report["statistics"]["notes"] == sum(piece["notes"] for piece in report["kept"])


def test_a_crash_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(tmp_path / "music", tunes(2))
    monkeypatch.setattr(readings, "take", _ends_the_worker)
    assert [left.kind for left in inspect(folder, workers=1).left_out] == ["unreadable"] * 2
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert len(inspect(folder, workers=1).kept) == 2


def _ends_the_worker(item: object) -> None:
    os._exit(9)


# Statistics


def test_facts_of_a_known_piece() -> None:
    score = Score(480)
    score.tempos.extend([Tempo(0, qpm=60.0), Tempo(480 * 8, qpm=120.0)])
    score.time_signatures.extend([TimeSignature(0, 4, 4), TimeSignature(480 * 8, 3, 4)])
    piano, drums = Track("", 0), Track("", 0, True)
    for beat in range(14):
        piano.notes.append(Note(beat * 480, 480, 60 + beat, 64))
        piano.notes.append(Note(beat * 480, 240, 72 + beat, 64))
    drums.notes.append(Note(100, 10, 36, 100))
    score.tracks.extend([piano, drums])
    found = facts(score, note_array(score))
    assert (found["notes"], found["bars"], found["tracks"]) == (29, 4, 2)
    assert found["seconds"] == pytest.approx(8 + 3, abs=0.001)
    assert found["instruments"] == {"Drums": 1, "Acoustic Grand Piano": 28}
    assert found["metres"] == {"4/4": 2, "3/4": 2}
    assert (found["tempo"], found["tempo_changes"]) == (60.0, 1)
    assert found["polyphony"] == pytest.approx((14 * 1.5 * 480 + 10) / (14 * 480), abs=0.001)
    assert found["most_polyphony"] == 3
    assert sum(found["pitches"]) == 28
    assert found["velocities"][64] == 28
    assert found["on_sixteenths"] == pytest.approx(28 / 29, abs=0.001)


@pytest.mark.parametrize("tonic", range(12))
def test_keys_are_heard_from_scale_and_cadence(tonic: int) -> None:
    def sung(pitches: list[int]) -> str:
        score, track = Score(4), Track("")
        for at, pitch in enumerate(pitches):
            track.notes.append(Note(at * 4, 4, 60 + tonic + pitch, 80))
        score.tracks.append(track)
        return key_of(note_array(score))

    names = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
    assert sung([0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0]) == f"{names[tonic]} major"
    minors = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
    assert sung([0, 2, 3, 5, 7, 8, 11, 12, 7, 3, 0]) == f"{minors[tonic]} minor"


def test_a_written_key_is_believed_unless_it_is_the_default() -> None:
    score = tune(1)
    heard = facts(score, note_array(score))["key"]
    score.key_signatures.append(KeySignature(0, 0, 0))
    assert facts(score, note_array(score))["key"] == heard
    for sharps, mode, name in ((-3, 0, "Eb major"), (4, 1, "C# minor"), (-1, 1, "D minor"), (7, 0, "Db major")):
        score.key_signatures[0].key, score.key_signatures[0].tonality = sharps, mode
        assert facts(score, note_array(score))["key"] == name


@settings(deadline=None)
@given(scores())
def test_any_score_has_facts_that_add_up(score: Score) -> None:
    notes = note_array(score)
    if not len(notes):
        return
    found = facts(score, notes)
    json.dumps(found)
    assert sum(found["instruments"].values()) == sum(found["velocities"]) == len(notes)
    assert sum(found["metres"].values()) == found["bars"]
    assert 0 <= found["on_sixteenths"] <= found["on_grid"] <= 1
    assert 1 <= found["polyphony"] <= max(found["most_polyphony"], 1) <= len(notes)
    summary = Summary()
    summary.add(found)
    summary.add(found)
    table = summary.table()
    assert table["notes"] == 2 * len(notes)
    assert sum(table["polyphony"]["histogram"]["pieces"]) == 2


# On real music


@pytest.mark.long
@pytest.mark.skipif("PARTIMENTO_DATA" not in os.environ, reason="PARTIMENTO_DATA names no folder of unpacked data sets")
def test_real_folders_are_read_whole() -> None:
    data = Path(os.environ["PARTIMENTO_DATA"])
    corpus = inspect(data / "nottingham" / "MIDI")
    assert len(corpus.kept) + len(corpus.left_out) == 3089
    sides = {piece.path: piece.split for piece in corpus.kept}
    straddling = [
        path for path, side in sides.items() if "/" not in path for part in ("melody", "chords")
        if sides.get(f"{part}/{path}", side) != side
    ]  # fmt: skip
    assert len(straddling) <= 0.02 * 2055, "a part that shares too little with its whole to be found is rare"
    assert corpus.statistics["groups"] >= corpus_module.LEAST_GROUPS
