"""Every file is read into one tidy shape, or refused with a reason."""

from __future__ import annotations

import io
import json
import os
import random
import sys
import zipfile
from collections import Counter
from pathlib import Path

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partimento import files, isolation
from partimento.errors import PartimentoError, Unreadable
from partimento.files import Limits, Reading
from partimento.score import KeySignature, Note, Score, Tempo, TimeSignature, Track, note_array

MUSICXML = """<?xml version="1.0" encoding="{encoding}"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 3.1 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">
<score-partwise version="3.1">
  <part-list><score-part id="P1"><part-name>Flöte</part-name></score-part></part-list>
  <part id="P1"><measure number="1">
    <attributes><divisions>1</divisions><key><fifths>-1</fifths></key><time><beats>3</beats><beat-type>4</beat-type></time>
      <clef><sign>G</sign><line>2</line></clef></attributes>
    <note><pitch><step>C</step><octave>5</octave></pitch><duration>1</duration><type>quarter</type></note>
    <note><pitch><step>B</step><alter>-1</alter><octave>4</octave></pitch><duration>2</duration><type>half</type></note>
  </measure></part>
</score-partwise>"""
MEI = """<?xml version="1.0" encoding="UTF-8"?>
<mei xmlns="http://www.music-encoding.org/ns/mei" meiversion="5.0"><music><body><mdiv><score>
<scoreDef><staffGrp><staffDef n="1" lines="5" clef.shape="G" clef.line="2" meter.count="3" meter.unit="4"/>
</staffGrp></scoreDef>
<section><measure n="1"><staff n="1"><layer n="1">
<note dur="4" oct="5" pname="c"/><note dur="2" oct="4" pname="b" accid.ges="f"/></layer></staff></measure></section>
</score></mdiv></body></music></mei>"""
HUMDRUM = "**kern\n*clefG2\n*k[b-]\n*M3/4\n=1\n4cc\n2b-\n==\n*-\n"
ABC = "X:1\nT:One\nM:3/4\nL:1/4\nK:F\nc B2 |]\n"
BOOK = ABC + "\nX:7\nT:Nothing\nK:C\n\nX:7\nT:Other\nM:4/4\nL:1/4\nK:C\nC D E F|\n"
CONTAINER = '<container><rootfiles><rootfile full-path="score.xml"/></rootfiles></container>'


def pitches(reading: Reading) -> list[int]:
    return [int(pitch) for pitch in note_array(reading.score)["pitch"]]


def a_score(notes: list[tuple[int, int, int, int]], *, program: int = 0) -> Score:
    score = Score(480)
    track = Track("Part", program, False)
    track.notes.extend([Note(*note) for note in notes])
    score.tracks.append(track)
    return score


def midi(notes: list[tuple[int, int, int, int]]) -> bytes:
    return files.to_bytes(a_score(notes))


def archive(score: str | bytes, *, contents: bool = True, **more: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("mimetype", "application/vnd.recordare.musicxml")
        if contents:
            made.writestr("META-INF/container.xml", CONTAINER)
        made.writestr("score.xml", score)
        for name, data in more.items():
            made.writestr(name, data)
    return buffer.getvalue()


NOTATION = {
    "a.musicxml": MUSICXML.format(encoding="UTF-8").encode(),
    "A.XML": MUSICXML.format(encoding="ISO-8859-1").encode("latin-1"),
    "utf16.xml": MUSICXML.format(encoding="UTF-16").encode("utf-16"),
    "mark.xml": b"\xef\xbb\xbf" + MUSICXML.format(encoding="UTF-8").encode(),
    "a.mxl": archive(MUSICXML.format(encoding="UTF-8")),
    "bare.mxl": archive(MUSICXML.format(encoding="UTF-8"), contents=False),
    "zipped.xml": archive(MUSICXML.format(encoding="UTF-8")),
    "a.mei": MEI.encode(),
    "mei.xml": MEI.encode(),
    "a.krn": HUMDRUM.encode(),
    "a.abc": ABC.encode(),
    "mac.abc": ABC.replace("\n", "\r").encode(),
}


@pytest.mark.parametrize("name", NOTATION)
def test_notation_is_read(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).write_bytes(NOTATION[name])
    reading = files.read(tmp_path / name)
    assert pitches(reading) == [72, 70]
    notes = note_array(reading.score)
    quarter = reading.score.ticks_per_quarter
    assert list(notes["onset"]) == [0, quarter]
    assert list(notes["duration"] / quarter) == pytest.approx([1, 2], abs=0.02)
    assert [(m.numerator, m.denominator) for m in reading.score.time_signatures] == [(3, 4)]
    assert reading.repairs == ()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [".mid", ".MIDI", ".kar", ".Rmi", ".smf"])
def test_midi_is_read_by_any_of_its_suffixes(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"tune{suffix}"
    path.write_bytes(midi([(0, 480, 60, 64)]))
    assert pitches(files.read(path)) == [60]


def test_a_book_of_tunes_is_one_score_or_many(tmp_path: Path) -> None:
    path = tmp_path / "book.abc"
    path.write_text(BOOK)
    reading = files.read(path)
    assert pitches(reading) == [72, 70, 60, 62, 64, 65]
    assert note_array(reading.score)["onset"][2] == 3 * reading.score.ticks_per_quarter
    assert [(m.time, m.numerator) for m in reading.score.time_signatures] == [(0, 3), (3 * 480, 4)]
    assert reading.repairs == ("its 3 tunes follow one another", "“Nothing” was left out: It holds no notes.")
    (one, first), (nothing, refusal), (other, last) = files.read_each(path)
    assert (one, nothing, other) == ("One", "Nothing", "Other")
    assert isinstance(first, Reading)
    assert isinstance(last, Reading)
    assert (pitches(first), pitches(last)) == ([72, 70], [60, 62, 64, 65])
    assert isinstance(refusal, Unreadable)
    (tmp_path / "one.abc").write_text(ABC)
    ((title, only),) = files.read_each(tmp_path / "one.abc")
    assert title == ""
    assert isinstance(only, Reading)


BOMB = "<!ENTITY a '" + "ha" * 50 + "'>" + "".join(f"<!ENTITY a{n} '{'&a;' * 10}'>" for n in range(9))
REFUSED = {
    "song.mp3": (b"ID3", "end in .mp3"),
    "README": (b"Hello", "no suffix"),
    "empty.mid": (b"", "empty"),
    "page.mid": (b"<!DOCTYPE html><html>...", "web page"),
    "silent.mid": (midi([]), "no notes"),
    "text.xml": (b"hello", "not a score in MusicXML"),
    "other.xml": (b"<?xml version='1.0'?><rss></rss>", "not a score in MusicXML"),
    "time.xml": (b"<?xml version='1.0'?><score-timewise></score-timewise>", "ordered by measures"),
    "nothing.xml": (b"<score-partwise></score-partwise>", "damaged|no notes"),
    "bomb.xml": (MUSICXML.format(encoding="UTF-8").replace("<score", BOMB + "<score", 1).encode(), "entities"),
    "no.mxl": (b"PK\x03\x04" + bytes(90), "archive is damaged"),
    "cut.mxl": (archive(MUSICXML)[:-30], "archive is damaged"),
    "wrong.mxl": (archive("hello"), "not a score in MusicXML"),
    "zip.mxl": (archive(b" " * 30_000_000), "unpacks to more than"),
    "no.krn": (b"!!! just a comment\n", "not a score in Humdrum"),
    "no.mei": (b"<html></html>", "not a score in MEI"),
    "no.abc": (b"just words", "no tune"),
    "rest.abc": (b"X:1\nK:C\nz4|\n", "no notes"),
    "many.abc": (b"X:1\n" * 5001, "more than 5,000 tunes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_with_a_reason(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data, reason = REFUSED[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(Unreadable, match=reason) as refusal:
        files.read(tmp_path / name)
    assert refusal.value.advice.endswith(".")
    assert capfd.readouterr() == ("", "")


def test_a_locked_archive_is_refused(tmp_path: Path) -> None:
    data = bytearray(archive(MUSICXML))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := data.find(mark, at + 1)) >= 0:
            data[at + offset] |= 1
    (tmp_path / "a.mxl").write_bytes(data)
    with pytest.raises(Unreadable, match="password"):
        files.read(tmp_path / "a.mxl")


def test_an_archive_that_lies_about_its_size_is_bounded(tmp_path: Path) -> None:
    data = archive(b" " * 30_000_000)
    lie = data.replace((30_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert lie != data
    (tmp_path / "a.mxl").write_bytes(lie)
    with pytest.raises(Unreadable):
        files.read(tmp_path / "a.mxl")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.mid").mkdir()
    for path in (tmp_path / "folder.mid", tmp_path / "nowhere.mid"):
        with pytest.raises(Unreadable, match="not there"):
            files.read(path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.mid")
        with pytest.raises(Unreadable, match="not there"):
            files.read(tmp_path / "pipe.mid")


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(bytes=50), "larger than 5e-05 MB"),
        (Limits(notes=2), "3 notes; at most 2"),
        (Limits(seconds=1.0), "lasts"),
        (Limits(tracks=1), "2 tracks; at most 1"),
    ],
)
def test_limits_are_kept(limits: Limits, reason: str, tmp_path: Path) -> None:
    score = a_score([(0, 480, 60, 64), (960, 480, 60, 64)])
    score.tracks.extend(a_score([(9600, 480, 60, 64)], program=9).tracks)
    files.write(score, tmp_path / "a.mid")
    with pytest.raises(Unreadable, match=reason):
        files.read(tmp_path / "a.mid", limits)
    assert len(pitches(files.read(tmp_path / "a.mid"))) == 3


def test_impossible_signs_are_left_out() -> None:
    score = a_score([(0, 480, 60, 64), (4800, 480, 61, 64)])
    score.tempos.extend(
        [Tempo(0, mspq=0), Tempo(0, mspq=500_000), Tempo(9, mspq=500_000), Tempo(10, mspq=60), Tempo(20, mspq=400_000)]
    )
    score.time_signatures.extend([TimeSignature(0, 0, 4), TimeSignature(0, 3, 4), TimeSignature(10, 4, 128)])
    score.key_signatures.extend([KeySignature(0, 100, 0), KeySignature(10, 2, 77), KeySignature(20, 2, 0)])
    reading = files.read_bytes(files.to_bytes(score), "midi")
    assert [(t.time, t.mspq) for t in reading.score.tempos] == [(0, 500_000), (20, 400_000)]
    assert [(m.time, m.numerator) for m in reading.score.time_signatures] == [(0, 3)]
    assert [(k.time, k.key, k.tonality) for k in reading.score.key_signatures] == [(10, 2, 0)]
    told = "; ".join(reading.repairs)
    for words in ("2 impossible tempi", "2 impossible metres", "an impossible key", "neither major nor minor"):
        assert words in told


def test_drums_and_instruments_are_told_apart_and_empty_tracks_dropped() -> None:
    score = a_score([(0, 480, 60, 64)], program=40)
    score.tracks.append(Track("nothing", 3, False))
    drums = Track("kit", 0, True)
    drums.notes.append(Note(0, 10, 36, 100))
    score.tracks.append(drums)
    reading = files.read_bytes(files.to_bytes(score), "midi")
    assert sorted((t.program, t.is_drum) for t in reading.score.tracks) == [(0, True), (40, False)]
    assert reading.repairs == ()


events = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 20), st.integers(58, 62), st.integers(1, 127)), min_size=1, max_size=60
)


@settings(max_examples=150, deadline=None)
@given(events)
def test_each_pitch_of_a_track_sounds_once_at_a_time(notes: list[tuple[int, int, int, int]]) -> None:
    reading = files.read_bytes(midi(notes), "midi")
    columns = note_array(reading.score)
    assert (columns["duration"] >= 1).all()
    for pitch in range(58, 63):
        one = columns[columns["pitch"] == pitch]
        assert (one["onset"][1:] >= one["onset"][:-1] + one["duration"][:-1]).all()
    assert {(int(n["onset"]), int(n["pitch"])) for n in columns} == {(onset, pitch) for onset, _, pitch, _ in notes}
    again = files.read_bytes(files.to_bytes(reading.score), "midi")
    assert again.repairs == ()
    assert (note_array(again.score) == columns).all()


@pytest.mark.parametrize("pitched", [14, 15, 16, 17, 40])
def test_drums_stand_among_many_tracks(pitched: int, tmp_path: Path) -> None:
    score = Score(480)
    for number in range(pitched):
        score.tracks.append(Track(f"{number}", number, False))
    for place in (0, 7, len(score.tracks)):
        score.tracks.insert(place, Track("Drums", 0, True))
    for place, track in enumerate(score.tracks):
        track.notes.append(Note(480 * place, 480, 40, 80))
    files.write(score, tmp_path / "many.mid")
    again = files.read(tmp_path / "many.mid").score
    assert again.note_num() == pitched + 3
    assert sum(len(track.notes) for track in again.tracks if track.is_drum) == 3


def test_of_many_tracks_each_plays_on_a_channel_of_its_instrument() -> None:
    score = Score(480)
    for number in range(20):  # four instruments
        track = Track(str(number), 10 * (number % 4), False)
        track.notes.append(Note(480 * number, 480, 60 + number, 90))
        score.tracks.append(track)
    drums = Track("drums", 0, True)
    drums.notes.append(Note(0, 100, 38, 90))
    score.tracks.append(drums)
    data = files.to_bytes(score)
    assert [[*track.notes] for track in files.read_bytes(data, "midi").score.tracks] == [
        [*track.notes] for track in score.tracks
    ]
    played: dict[int, set[int]] = {}
    for track, written in zip(mido.MidiFile(file=io.BytesIO(data)).tracks, score.tracks, strict=True):
        own = [message for message in track if not message.is_meta]
        (channel,) = {message.channel for message in own}
        assert (channel == 9) == written.is_drum
        assert {message.program for message in own if message.type == "program_change"} == {written.program}
        played.setdefault(channel, set()).add(written.program)
    assert len(played) == 5
    assert all(len(programs) == 1 for programs in played.values())


def test_a_score_is_written_whole_and_the_same_each_time(tmp_path: Path) -> None:
    score = a_score([(0, 480, 60, 64), (480, 480, 60, 64)])
    path = tmp_path / "new" / "folder" / "a.MID"
    files.write(score, path)
    assert path.read_bytes() == files.to_bytes(score) == files.to_bytes(score.copy())
    assert [p.name for p in path.parent.iterdir()] == ["a.MID"]
    assert (note_array(files.read(path).score) == note_array(score)).all()
    with pytest.raises(PartimentoError, match=r"a\.wav should end in \.mid"):
        files.write(score, tmp_path / "a.wav")


def test_reading_safely_gives_what_reading_gives(tmp_path: Path) -> None:
    for name in ("a.musicxml", "a.abc"):
        (tmp_path / name).write_bytes(NOTATION[name])
        assert pitches(files.read_safely(tmp_path / name)) == [72, 70]
    files.write(a_score([(0, 480, 60, 64)]), tmp_path / "a.mid")
    assert pitches(files.read_safely(tmp_path / "a.mid")) == [60]
    (tmp_path / "no.xml").write_bytes(b"<rss/>")
    with pytest.raises(Unreadable, match="not a score"):
        files.read_safely(tmp_path / "no.xml")


@pytest.mark.skipif(sys.platform != "linux", reason="needs a worker that inherits what is patched here")
def test_a_parser_that_crashes_is_refused_with_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from partimento.files import notation

    monkeypatch.setattr(notation, "engraved", lambda *_: os.abort())
    monkeypatch.setattr(isolation, "_forks", lambda: True)
    (tmp_path / "a.musicxml").write_bytes(NOTATION["a.musicxml"])
    with pytest.raises(Unreadable, match="crashes"):
        files.read_safely(tmp_path / "a.musicxml")


def damaged(data: bytes, draw: random.Random) -> bytes:
    """One to eight random flips, deletions, insertions, cuts and splices."""
    for _ in range(draw.choice([1, 1, 1, 2, 3, 8])):
        at = draw.randrange(len(data) + 1)
        how = draw.randrange(5)
        if how == 0 and at < len(data):
            data = data[:at] + bytes((data[at] ^ 1 << draw.randrange(8),)) + data[at + 1 :]
        elif how == 1:
            data = data[:at] + data[at + draw.choice([1, 1, 2, 5, 50]) :]
        elif how == 2:
            data = data[:at] + draw.randbytes(draw.choice([1, 1, 2, 5, 20])) + data[at:]
        elif how == 3:
            data = data[:at] if at > 20 else data
        else:
            start = draw.randrange(len(data) + 1)
            data = data[:at] + data[start : start + draw.randrange(400)] + data[at:]
    return data


def read_damaged(item: tuple[bytes, str, int]) -> int:
    """Read a file after damaging it; the number of its notes."""
    data, format, seed = item
    return len(note_array(files.read_bytes(damaged(data, random.Random(seed)), format).score))


def test_damaged_files_are_read_or_refused() -> None:
    sound = midi([(n * 120, 100, 48 + n % 24, 64 + n % 40) for n in range(60)])
    items = [(sound, "midi", seed) for seed in range(300)]
    items += [(NOTATION["a.musicxml"], "musicxml", seed) for seed in range(20)]
    items += [(HUMDRUM.encode(), "humdrum", seed) for seed in range(20)]
    items += [(ABC.encode(), "abc", seed) for seed in range(10)]
    read = 0
    for _, result in isolation.isolated(read_damaged, items, seconds=20):
        if isinstance(result, Unreadable):
            assert "internal error" not in result.reason
        else:
            read += 1
    assert read > 200


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of unpacked data sets."""
    folder = os.environ.get("PARTIMENTO_DATA")
    if not folder:
        pytest.skip("PARTIMENTO_DATA names no folder of data sets")
    return Path(folder)


def read_path(path: Path) -> tuple[int, tuple[str, ...]]:
    reading = files.read(path)
    return reading.score.note_num(), reading.repairs


@pytest.mark.long
def test_robustness_files_are_read_or_refused(data: Path) -> None:
    """At least nine in ten of those that the manifest shows readable with notes, and none crashes."""
    folder = data / "robustness"
    manifest = json.loads((folder / "manifest.json").read_text())
    readable = {
        folder / entry["path"]
        for entry in manifest
        if "ok" in (entry["symusic"], entry["mido"], entry["mido_clip"]) and (entry["info"] or {}).get("notes", 0) > 0
    }
    reasons: Counter[str] = Counter()
    read = 0
    for path, result in isolation.isolated(read_path, [folder / entry["path"] for entry in manifest]):
        if isinstance(result, Unreadable):
            assert not any(word in result.reason for word in ("internal", "crash", "longer than", "memory")), path
            reasons[result.reason] += 1
        else:
            read += path in readable
    assert read >= 0.9 * len(readable)


@pytest.mark.long
def test_ten_thousand_damaged_files_are_read_or_refused(data: Path) -> None:
    paths = sorted((data / "robustness").rglob("*.mid")) + sorted((data / "nottingham" / "MIDI").glob("*.mid"))[:200]
    sound = [content for path in paths if 60 < len(content := path.read_bytes()) < 40_000]
    items = ((sound[seed % len(sound)], "midi", seed) for seed in range(10_000))
    read = 0
    for item, result in isolation.isolated(read_damaged, items, seconds=20):
        if isinstance(result, Unreadable):
            assert not any(w in result.reason for w in ("internal", "crash", "longer than 20", "memory")), item[2]
        else:
            read += 1
    assert read > 7_000


@pytest.mark.long
def test_no_note_of_a_valid_file_is_lost(data: Path) -> None:
    """What mido counts is what is read, but for doubled notes, which are told."""
    for path in sorted((data / "nottingham" / "MIDI").glob("*.mid"))[::10]:
        file = mido.MidiFile(path)
        counted = sum(m.type == "note_on" and m.velocity > 0 for track in file.tracks for m in track)
        notes, repairs = read_path(path)
        assert notes == counted or any("doubled" in repair for repair in repairs)


@pytest.mark.long
def test_memory_is_flat_in_the_number_of_files(data: Path) -> None:
    import resource

    paths = sorted((data / "folk-abc").rglob("*.mid"))
    peaks = []
    for number in (300, 3000):
        assert sum(isinstance(r, tuple) for _, r in isolation.isolated(read_path, paths[:number])) == number
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    assert peaks[1] < 1.1 * peaks[0] + 10_000
