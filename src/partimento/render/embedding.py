"""Embedding: a page in one file, which can be sent and kept, with all that it shows inside.

A page refers to the pictures and sounds beside it; here each such reference becomes the file itself, as a data URI
(RFC 2397: `data:audio/mpeg;base64,…`), so that nothing is fetched when the page is opened. Base64 costs a third. What
is shown or played goes in there alone: a link to the same file goes, since browsers open no page that is all data.
"""

from __future__ import annotations

import base64
import mimetypes
import re
from html import escape, unescape
from pathlib import Path
from urllib.parse import unquote

__all__ = ["embedded"]

_PLACE = '"(?P<place>[^"#:]+)"'  # neither within the page nor beyond the folder
_AROUND = re.compile(f"<a href={_PLACE}>(?P<shown><img [^>]*>)</a>")
_LINK = re.compile(f"<a href={_PLACE}>(?P<text>[^<]*)</a>(?P<then> · )?")
_SHOWN = re.compile(f"src={_PLACE}")


def embedded(html: str, folder: Path) -> str:
    """A page with every file that it refers to put into it.

    Args:
        html: as `listening.page` makes it.
        folder: where the files lie to which its paths are relative.

    Raises:
        FileNotFoundError: it refers to a file that is not there.
    """
    html = _AROUND.sub(lambda found: found["shown"], html)
    shown = {found["place"] for found in _SHOWN.finditer(html)}

    def saved(found: re.Match[str]) -> str:
        if found["place"] in shown:
            return ""
        file = _file(found["place"], folder)
        link = f'<a href="{_data(file)}" download="{escape(file.name)}">{found["text"]}</a>'
        return link + (found["then"] or "")

    html = _LINK.sub(saved, html)
    return _SHOWN.sub(lambda found: f'src="{_data(_file(found["place"], folder))}"', html)


def _file(place: str, folder: Path) -> Path:
    return folder / unquote(unescape(place))


def _data(file: Path) -> str:
    known = {".mid": "audio/midi", ".ogg": "audio/ogg", ".flac": "audio/flac", ".wav": "audio/wav"}
    suffix = file.suffix.lower()
    kind = known.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")
    return f"data:{kind};base64,{base64.b64encode(file.read_bytes()).decode('ascii')}"
