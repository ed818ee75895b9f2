"""Notation: engraved scores as Standard MIDI Files, repeats played out.

MusicXML, MEI and Humdrum go through verovio (Pugin et al. 2014), ABC through abc2midi (Allwright and Shlien, carried by
the symusic wheel). On 250 tunes of Ryan's collection symusic's way of ABC gave the reference's notes for 248 and
verovio for 139, with 18 crashes. One run of abc2midi does a whole tune book, so it is run directly.

Everything that a hostile file may try is refused before a parser sees it: archives that unpack to far more than they
weigh, locked ones, XML that defines entities. What crashes or hangs the parsers all the same is a matter for
`isolation`. Leaves out: layout, lyrics, and MusicXML's timewise form.
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import io
import itertools
import os
import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from partimento.errors import Unreadable

__all__ = ["engraved", "tunes", "unzip"]

TUNES = 5_000  # in a book
SECONDS = 15.0  # that abc2midi may take, for tunes take milliseconds
RATIO = 200  # how many times its size an archive may unpack to; music comes to 10 to 40
DECLARED = re.compile(rb"""^\s*<\?xml[^>]*\bencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
AGAIN = "Save it again in the program that made it, or leave it out."

ROOTS = {  # what a file's text must hold, and verovio's name for the format
    "musicxml": (r"<score-partwise\b", "xml", "MusicXML"),
    "mei": (r"<(\w+:)?mei(Head)?\b", "mei", "MEI"),
    "humdrum": (r"(?m)^(.*\t)?\*\*kern\b", "humdrum", "Humdrum **kern"),
}


def engraved(data: bytes, format: str) -> bytes:
    """Play a score of notation out as MIDI.

    Args:
        data: the file's bytes, unpacked.
        format: "musicxml", "mei" or "humdrum".

    Returns:
        A Standard MIDI File.

    Raises:
        Unreadable: it is something else, or verovio cannot make music of it.
    """
    text = _text(data)
    if format == "musicxml" and re.search(r"<(\w+:)?mei\b", text[:10_000]):
        format = "mei"
    pattern, name, title = ROOTS[format]
    if format == "musicxml" and "<score-timewise" in text[:10_000]:
        raise Unreadable(
            "Its MusicXML is ordered by measures, not by parts.", "Save it from MuseScore or Finale again."
        )
    if not re.search(pattern, text):
        raise Unreadable(f"It is not a score in {title}.", AGAIN)
    if "<!ENTITY" in text:
        raise Unreadable("Its XML defines abbreviations (entities), as harmful files do.", AGAIN)
    if find_spec("verovio") is None:
        raise Unreadable(f"Reading {title} needs verovio, which is not installed.", "pip install 'partimento[train]'.")
    with _silence():
        import verovio

        verovio.enableLog(verovio.LOG_OFF)
        toolkit = verovio.toolkit()
        toolkit.setOptions({"breaks": "none", "xmlIdSeed": 1})
        toolkit.setInputFrom(name)
        midi = toolkit.renderToMIDI() if toolkit.loadData(text) else ""
    if not midi:
        raise Unreadable(f"Its {title} is damaged or of a kind that cannot be read.", AGAIN)
    return base64.b64decode(midi)


def unzip(data: bytes, most: int) -> bytes:
    """The score inside a compressed MusicXML file (`.mxl`).

    Args:
        data: the archive.
        most: bytes that the score may have.

    Raises:
        Unreadable: it is no such archive, locked, or unpacks to too much.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            name = _score_name(archive, most)
            return _member(archive, name, min(most, max(RATIO * len(data), 1_000_000)))
    except (zipfile.BadZipFile, KeyError, NotImplementedError, EOFError, OSError, ValueError, zlib.error) as error:
        raise Unreadable("Its archive is damaged, or is no archive.", AGAIN) from error


def _score_name(archive: zipfile.ZipFile, most: int) -> str:
    """The name of the score in the archive: the first that its table of contents names, else the first XML file."""
    names = archive.namelist()
    if "META-INF/container.xml" in names:
        contents = _text(_member(archive, "META-INF/container.xml", most))
        for name in re.findall(r"""<rootfile\b[^>]*\bfull-path\s*=\s*["']([^"']+)["']""", contents):
            if name in names and not name.lower().endswith((".pdf", ".png", ".mid")):
                return str(name)
    for name in names:
        if name.lower().endswith((".xml", ".musicxml")) and not name.startswith("META-INF/"):
            return name
    raise Unreadable("There is no score in the archive.", AGAIN)


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    info = archive.getinfo(name)
    if info.flag_bits & 1:
        raise Unreadable("It is locked with a password.", "Save it without one.")
    with archive.open(info) as file:
        content = file.read(most + 1)  # whatever size it claims
    if len(content) > most:
        raise Unreadable(
            f"It unpacks to more than {most / 1e6:,.0f} MB, as harmful files do.", "Save its pieces one by one."
        )
    return content


def _text(data: bytes) -> str:
    """The text of a file, by its byte order mark, its declaration, or as UTF-8 or Latin-1, whichever fits."""
    declared = DECLARED.match(data[:200])
    encoding = declared[1].decode() if declared else "utf-8"
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            encoding = name
    for attempt in (encoding, "utf-8", "latin-1"):
        with contextlib.suppress(UnicodeError, LookupError):
            return data.decode(attempt).replace("\x00", "")
    raise AssertionError("latin-1 decodes everything")


def tunes(data: bytes) -> list[tuple[str, bytes]]:
    """Play each tune of an ABC file out as MIDI.

    Args:
        data: the file's bytes: one tune or a book of them.

    Returns:
        Each tune's title and Standard MIDI File; the bytes are empty where abc2midi makes nothing of a tune.

    Raises:
        Unreadable: there is no tune in it, there are too many, or abc2midi does not come to an end.
    """
    import symusic  # noqa: F401 - it says where its abc2midi is

    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    heads = re.findall(rb"(?m)^X:.*(?:\n(?!X:).*)*", lines)
    if not heads:
        raise Unreadable("There is no tune in it: in ABC each begins with a line X:.", AGAIN)
    if len(heads) > TUNES:
        raise Unreadable(f"It holds more than {TUNES:,} tunes.", "Split it into several files.")
    number = itertools.count(1)
    numbered = re.sub(rb"(?m)^X:.*$", lambda _: b"X:%d" % next(number), lines)
    titles = [_title(tune) for tune in heads]
    with tempfile.TemporaryDirectory(prefix="partimento-abc-") as folder:
        Path(folder, "t.abc").write_bytes(numbered)
        try:
            subprocess.run(  # noqa: S603 - a program of ours on a file of ours
                [os.environ["SYMUSIC_ABC2MIDI"], "t.abc", "-silent"],
                cwd=folder,
                timeout=SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired as error:
            raise Unreadable("Its ABC cannot be played out in reasonable time.", AGAIN) from error
        made = [Path(folder, f"t{n}.mid") for n in range(1, len(titles) + 1)]
        return [(title, file.read_bytes() if file.exists() else b"") for title, file in zip(titles, made, strict=True)]


def _title(tune: bytes) -> str:
    """What a tune calls itself."""
    found = re.search(rb"(?m)^T:\s*(.*?)\s*$", tune)
    return _text(found[1]) if found else ""


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Send to nowhere what C++ code writes to the terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        yield
    finally:
        for descriptor, standard in zip(kept, (1, 2), strict=True):
            os.dup2(descriptor, standard)
            os.close(descriptor)
        os.close(nowhere)
