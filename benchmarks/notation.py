"""How well scores are written down: what the tables in docs/notation.md say.

    python benchmarks/notation.py moves MUSIC [--pieces 40]   # how far notes move to the grid, and how long it takes
    python benchmarks/notation.py names SHEETS [--leave 200]  # keys and names, against MusicXML that people wrote
    python benchmarks/notation.py hands SONGS [--leave 60]    # hands, against pianos that have a track for each

MUSIC and SONGS are folders of MIDI files, SHEETS is one of compressed MusicXML (.mxl) with one voice, such as lead
sheets. --leave leaves out the files on which weights were chosen. Of a sheet the first part counts, sheets that change
their key do not, and one whose notes sound the same by other names throughout (six flats for six sharps) is right.
"""

from __future__ import annotations

import argparse
import random
import time
import xml.etree.ElementTree as ET
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from partimento.engraving import engrave, hands
from partimento.engraving.spelling import LETTERS
from partimento.errors import Unreadable
from partimento.files import read
from partimento.score import Note, Score, Track, note_array

NATURAL = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def files(folder: Path, suffix: str, pieces: int, leave: int = 0) -> list[Path]:
    """Some of a folder's files, the same each time, but for the first few."""
    found = sorted(folder.rglob(f"*{suffix}"), key=str)
    random.Random(0 if leave else 1).shuffle(found)
    return found[leave : leave + pieces]


def scores(folder: Path, pieces: int, leave: int = 0) -> Iterator[Score]:
    """What can be read of them."""
    for file in files(folder, ".mid", pieces, leave):
        try:
            yield read(file).score
        except Unreadable:
            continue


def moves(folder: Path, pieces: int, leave: int) -> None:
    """How far notes move."""
    moved, notes, bars, seconds = [], 0, 0, 0.0
    for score in scores(folder, pieces, leave):
        began = time.process_time()
        engraving = engrave(score)
        seconds += time.process_time() - began
        moved.append(engraving.moved)
        notes, bars = notes + score.note_num(), bars + engraving.bars
    share = np.mean(np.array(moved) == 0)
    print(f"{len(moved)} pieces, {notes:,} notes, {bars:,} bars; {share:.0%} lie on the grid")
    print(f"mean move {np.mean(moved):.4f} of a quarter, of the worst tenth more than {np.quantile(moved, 0.9):.4f}")
    print(f"{1e6 * seconds / max(notes, 1):.0f} µs a note")


def place(pitch: ET.Element) -> tuple[int, int]:
    """The MIDI pitch, and the place on the line of fifths."""
    letter, alter = pitch.findtext("step", "C"), int(float(pitch.findtext("alter", "0")))
    number = NATURAL[letter] + alter + 12 * (int(pitch.findtext("octave", "4")) + 1)
    return number, LETTERS.index(letter) - 1 + 7 * alter


def sheet(file: Path) -> tuple[list[tuple[int, int, int, int]], set[int]]:
    """The notes of a sheet (onset and duration in 480ths of a quarter, pitch, name) and its signatures."""
    with zipfile.ZipFile(file) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".xml") and not n.startswith("META-INF"))
        part = ET.fromstring(archive.read(name)).find("part")
    divisions, at, notes, signatures = 1, 0, [], set()
    for element in part.iterfind("measure/*") if part is not None else []:
        divisions = int(element.findtext("divisions", str(divisions)))
        if element.find("key/fifths") is not None:
            signatures.add(int(element.findtext("key/fifths", "0")))
        length = int(element.findtext("duration", "0")) * 480 // divisions
        if element.tag == "backup":
            at -= length
        elif element.tag in ("note", "forward") and element.find("grace") is None:
            chord, pitch = element.find("chord") is not None, element.find("pitch")
            if pitch is not None and all(tie.get("type") != "stop" for tie in element.iterfind("tie")):
                notes.append((at - length * chord, length, *place(pitch)))
            at += 0 if chord else length
    return notes, signatures


def names(folder: Path, pieces: int, leave: int) -> None:
    """How often keys and names are those that people wrote."""
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for file in files(folder, ".mxl", pieces, leave):
        notes, signatures = sheet(file)
        if len(notes) < 16 or len(signatures) != 1:
            continue
        (signature,) = signatures
        score, track = Score(480), Track("", 0, False)
        track.notes.extend([Note(onset, max(length, 1), pitch, 80) for onset, length, pitch, _ in notes])
        score.tracks.append(track)
        root = ET.fromstring(engrave(score).text)
        own = int(root.findtext("part/measure/attributes/key/fifths", "0"))
        shift = 12 * round((own - signature) / 12)
        total["signatures"] += 1
        right["signatures"] += own - shift == signature
        written, made = defaultdict(list), defaultdict(list)
        for _, _, pitch, fifth in sorted(notes):
            written[pitch].append(fifth)
        for note in root.iter("note"):
            found = note.find("pitch")
            if found is not None and all(tie.get("type") != "stop" for tie in note.iterfind("tie")):
                pitch, fifth = place(found)
                made[pitch].append(fifth - shift)
        for pitch in written:
            if len(written[pitch]) == len(made[pitch]):
                for one, other in zip(written[pitch], made[pitch], strict=True):
                    kinds = ["names"] if signature - 1 <= one <= signature + 5 else ["names", "names with accidentals"]
                    total.update(kinds)
                    right.update(kinds if one == other else [])
    for kind, count in total.items():
        print(f"{kind}: {right[kind] / count:.1%} of {count:,}")


def two_hands(folder: Path, pieces: int, leave: int) -> None:
    """How many notes of pianos that have two tracks are given to the hand that has them."""
    right = middle = total = songs = 0
    for score in scores(folder, pieces, leave):
        pianos = [n for n, track in enumerate(score.tracks) if track.program == 0 and len(track.notes)]
        if len(pianos) != 2:
            continue
        notes = note_array(score)
        notes = notes[np.isin(notes["track"], pianos)]
        begins, first = np.unique(notes["onset"], return_index=True)
        groups = np.split(np.arange(len(notes)), first[1:])
        gaps = (np.diff(begins, prepend=begins[0]) / score.ticks_per_quarter).tolist()
        chords = [tuple(notes["pitch"][group].tolist()) for group in groups]
        left = np.zeros(len(notes), dtype=bool)
        for group, count in zip(groups, hands.split(chords, gaps), strict=True):
            left[group[:count]] = True
        lower = notes["track"] == pianos[1]
        right, total, songs = right + int((left == lower).sum()), total + len(notes), songs + 1
        middle += int(((notes["pitch"] < 60) == lower).sum())
    print(f"{songs} pieces: {right / total:.1%} of {total:,} notes; split at middle C {middle / total:.1%}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("moves", "names", "hands"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pieces", type=int, default=60)
    parser.add_argument("--leave", type=int, default=0)
    given = parser.parse_args()
    {"moves": moves, "names": names, "hands": two_hands}[given.what](given.folder, given.pieces, given.leave)
