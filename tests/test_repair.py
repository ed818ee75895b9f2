"""Whatever the bytes, a file that keeps the standard comes out, or a reason why not."""

from __future__ import annotations

import io
import struct

import mido
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from partimento.errors import Unreadable
from partimento.files.repair import repair
from partimento.score import Score, note_array

case = pytest.param

ONCE = [(0, 10, 60, 64)]
END = b"\x00\xff\x2f\x00"
Notes = list[tuple[int, int, int, int]]  # onset, duration, pitch, velocity


def on(pitch: int, wait: int = 0, velocity: int = 64, channel: int = 0) -> bytes:
    return bytes((wait, 0x90 | channel, pitch, velocity))


def off(pitch: int, wait: int = 10, channel: int = 0) -> bytes:
    return bytes((wait, 0x80 | channel, pitch, 64))


def chunk(track: bytes, name: bytes = b"MTrk", length: int | None = None) -> bytes:
    return name + struct.pack(">I", len(track) if length is None else length) + track


def header(tracks: int, kind: int = 1, division: int = 480) -> bytes:
    return b"MThd" + struct.pack(">IHHH", 6, kind, tracks, division)


def smf(*tracks: bytes, kind: int = 1, division: int = 480) -> bytes:
    return header(len(tracks), kind, division) + b"".join(map(chunk, tracks))


def notes(data: bytes) -> Notes:
    """What symusic reads, tick by tick."""
    score = Score.from_midi(data)
    return [(int(n["onset"]), int(n["duration"]), int(n["pitch"]), int(n["velocity"])) for n in note_array(score)]


def mended(data: bytes) -> tuple[Notes, str]:
    """The notes of a repaired file and what was said."""
    repaired = repair(data)
    found = notes(repaired.data)
    assert len(found) == repaired.notes
    again = repair(repaired.data)
    assert (again.data, again.repairs) == (repaired.data, ())
    return found, "; ".join(repaired.repairs)


ONE = on(60) + off(60)
SOUND = smf(b"\x00\xff\x51\x03\x07\xa1\x20" + END, ONE + on(62, velocity=100) + b"\x05\x3e\x00" + END)


def test_a_sound_file_comes_back_as_it_was() -> None:
    repaired = repair(SOUND)
    assert repaired.data is SOUND
    assert repaired.repairs == ()
    assert repaired.notes == 2


@pytest.mark.parametrize(
    ("data", "said", "expected"),
    [
        case(smf(on(60) + END), "a note that never ends was ended", [(0, 480, 60, 64)], id="endless"),
        case(
            smf(on(60) + on(62, 5) + off(62) + END),
            "a note that never ends",
            [(0, 15, 60, 64), (5, 10, 62, 64)],
            id="until the end",
        ),
        case(
            smf(on(60) + on(60, 5) + off(60, 5) + END),
            "a note that never ends",
            [(0, 5, 60, 64), (5, 5, 60, 64)],
            id="struck again",
        ),
        case(
            smf(on(60) + b"\x09\xb0\x7b\x00" + on(60, 20) + off(60) + END),
            "a note that never ends",
            [(0, 9, 60, 64), (29, 10, 60, 64)],
            id="all notes off",
        ),
        case(smf(on(60, velocity=208) + off(60) + END), "a velocity above 127", [(0, 10, 60, 127)], id="velocity"),
        case(smf(on(160) + ONE + END), "higher than MIDI's highest", ONCE, id="pitch"),
        case(smf(b"\x00\xc0\xff" + ONE + END), "impossible value", ONCE, id="program"),
        case(smf(b"\x00\xb0\x07\xff" + ONE + END), "controller's value", ONCE, id="controller"),
        case(smf(b"\x07\xf1\x05\x03\xf4" + ONE + END), "2 messages foreign to files", [(10, 10, 60, 64)], id="system"),
        case(
            smf(on(60) + b"\x00\xf0\x01\xf7\x05\x3c\x00" + END),
            "leant on an earlier one",
            [(0, 5, 60, 64)],
            id="running status",
        ),
        case(smf(on(60) + b"\x00\xf7\x02\x01\x02" + off(60) + END), "", ONCE, id="escape"),
        case(smf(b"\x00\xff\x58\x02\x03\x02" + ONE + END), "metre", ONCE, id="short metre"),
        case(smf(ONE + b"\xff\xff\xff\x7f" + END[1:]), "", ONCE, id="end far off"),
        case(smf(ONE + b"\xff\xff\xff\x7f" + ONE[1:] + END), "damaged", ONCE, id="rest of days"),
        case(smf(ONE), "track without an end", ONCE, id="no end"),
        case(smf(ONE + END + b"\x00"), "1 byte ignored after the end of track 1", ONCE, id="more after the end"),
        case(
            SOUND + b"junk!", "5 bytes ignored after the last", [(0, 10, 60, 64), (10, 5, 62, 100)], id="more after all"
        ),
        case(SOUND[:-5], "breaks off in track 2", [(0, 10, 60, 64), (10, 480, 62, 100)], id="cut short"),
        case(smf(ONE + b"\x81\x81\x81\x81\x81\x00" + END), "damaged", ONCE, id="lost step"),
        case(header(1) + chunk(ONE + END, length=99), "stated length", ONCE, id="length too long"),
        case(header(1) + chunk(ONE + END, length=3), "stated length", ONCE, id="length too short"),
        case(header(2) + chunk(END, length=9) + chunk(ONE + END), "stated length", ONCE, id="length beyond"),
        case(header(3) + chunk(ONE + END), "promises 3 tracks; 1 were found", ONCE, id="tracks promised"),
        case(header(1) + chunk(b"odd", b"Junk") + chunk(ONE + END), "a part that is not MIDI", ONCE, id="alien"),
        case(header(1) + chunk(ONE + END, b"MXrk"), "damaged mark", ONCE, id="damaged mark"),
        case(
            header(1) + chunk(ONE + END) + b"\x00old" + chunk(ONE + END),
            "ignored after the last track",
            ONCE,
            id="leftovers",
        ),
        case(SOUND + smf(ONE + END), "another file", [(0, 10, 60, 64), (10, 5, 62, 100)], id="two files"),
        case(b"\x00" * 128 + smf(ONE + END), "128 bytes ignored before the header", ONCE, id="MacBinary"),
        case(b"M?hd" + smf(ONE + END)[4:], "header's mark", ONCE, id="header's mark"),
        case(chunk(ONE + END), "its tempo is a guess", ONCE, id="no header"),
        case(smf(ONE + END, kind=29697), "format, 29697", ONCE, id="format"),
        case(smf(ONE + END, division=0), "how long a beat is", ONCE, id="no division"),
        case(smf(ONE + END, division=0xE728), "film frames", ONCE, id="film"),
        case(smf(ONE + END, ONE + END, kind=2), "2 separate pieces", [*ONCE, (1920, 10, 60, 64)], id="pieces"),
    ],
)
def test_faults_are_mended_and_told(data: bytes, said: str, expected: Notes) -> None:
    found, told = mended(data)
    assert found == expected
    assert said in told
    assert bool(said) == bool(told)


def test_a_riff_wrapper_is_no_fault() -> None:
    inner = smf(ONE + END)
    data = b"data" + struct.pack("<I", len(inner)) + inner + b"LIST\x04\x00\x00\x00abcd"
    repaired = repair(b"RIFF" + struct.pack("<I", len(data) + 4) + b"RMID" + data)
    assert repaired.data == inner
    assert repaired.repairs == ()


def test_film_frames_keep_their_seconds() -> None:
    repaired = repair(smf(b"\x00\xff\x51\x03\x01\x00\x00" + on(60) + b"\x87\x68\x80\x3c\x40" + END, division=0xE728))
    file = mido.MidiFile(file=io.BytesIO(repaired.data))
    assert file.length == pytest.approx(1.0)  # 25 frames of 40 ticks are 1,000 ticks


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\x00" * 900, "zeros"),
        (b"  <!DOCTYPE html><html></html>", "web page"),
        (b"PK\x03\x04" + b"x" * 90, "archive"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "sound recording"),
        (b"SMF2CLIP\x00", "MIDI 2.0"),
        (b"\xf0\x7e\x7f\x06\x01\xf7", "synthesiser"),
        (b"just some words, no music", "text"),
        (bytes(range(200, 250)) * 9, "no trace of MIDI"),
        (header(1) + (b"MTrk" + b"\x00" * 4) * 5000, "more than 4,000 tracks"),
    ],
)
def test_what_is_no_midi_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason) as refusal:
        repair(data)
    assert refusal.value.advice


def test_many_faults_are_told_in_few_words() -> None:
    repaired = repair(header(900) + chunk(ONE + END + b"\x00") * 900)
    assert len(repaired.repairs) < 30
    assert "880 more" in repaired.repairs[-1]


mutations = st.lists(
    st.tuples(
        st.sampled_from(["flip", "set", "delete", "insert", "cut", "copy"]), st.floats(0, 1), st.binary(max_size=8)
    ),
    min_size=1,
    max_size=6,
)


def mutate(data: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    """Damage a file as disks, networks and careless programs do."""
    for how, place, some in changes:
        at = int(place * len(data))
        if how == "flip" and data[at : at + 1]:
            data = data[:at] + bytes((data[at] ^ (1 << len(some) % 8),)) + data[at + 1 :]
        elif how == "set":
            data = data[:at] + some + data[at + len(some) :]
        elif how == "delete":
            data = data[:at] + data[at + 1 + len(some) :]
        elif how == "insert":
            data = data[:at] + some + data[at:]
        elif how == "cut":
            data = data[: max(at, 20)]
        elif how == "copy":
            data = data[:at] + data[at // 2 : at // 2 + 40] + data[at:]
    return data


WHOLE = smf(
    b"\x00\xff\x03\x04Tune\x00\xff\x58\x04\x03\x02\x18\x08\x00\xff\x59\x02\xfd\x01\x00\xff\x51\x03\x07\xa1\x20" + END,
    b"\x00\xc0\x28" + b"".join(on(48 + n % 24, n % 2 * 60) + off(48 + n % 24, 60) for n in range(40)) + END,
    b"\x00\xb9\x07\x64\x00\xf0\x05\x7e\x7f\x09\x01\xf7\x00\x99\x24\x64"
    + b"\x60\x24\x00\x00\x24\x64" * 30
    + b"\x60\x24\x00"
    + END,
)


def test_what_was_left_out_is_not_the_status_of_what_comes_after_a_meta_event() -> None:
    """A note that cannot be has the status of the next one, beyond a text: that is a beginning, and no end."""
    impossible, text, running = b"\x00\x90\x80\x40", b"\x00\xff\x01\x00", b"\x0a\x40\x40"
    found, said = mended(smf(ONE + impossible + text + running + off(64) + END))
    assert [pitch for _, _, pitch, _ in found] == [60, 64]
    assert "higher than MIDI's highest" in said


@settings(max_examples=400, deadline=None)
@given(mutations)
@example([])
@example([("insert", 0.5, b"\x80\x00\x00\xff\x00\x00")])
def test_mutations_are_mended_or_refused(changes: list[tuple[str, float, bytes]]) -> None:
    damaged = mutate(WHOLE, changes)
    try:
        repaired = repair(damaged)
    except Unreadable:
        return
    assert len(notes(repaired.data)) == repaired.notes
    again = repair(repaired.data)
    assert (again.data, again.notes, again.repairs) == (repaired.data, repaired.notes, ())
    assert repaired.repairs or repaired.data == damaged


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_events_are_mended_or_refused(events: bytes) -> None:
    repaired = repair(header(1) + chunk(events))
    assert len(notes(repaired.data)) == repaired.notes
    assert repair(repaired.data).repairs == ()
