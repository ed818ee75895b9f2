"""Listening pages: well-formed, escaped, without script or requests, and every file is found from where the page is."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento.render.embedding import embedded
from partimento.render.listening import Card, Link, Picture, Section, Strong, Table, Text, number, page

VOID = {"meta", "img", "link", "br"}


class Reader(HTMLParser):
    """What a browser would find; fails where an element is not closed in its turn."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: dict[str, list[str]] = {}
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.setdefault(self.open[-1] if self.open else "", []).append(data)

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def places(self) -> list[str]:
        return [a[name] for _, a in self.elements for name in ("href", "src") if name in a]


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
NAMES = WORDS.filter(lambda name: name.strip("/. ") and not name.startswith("/"))
CELLS = st.one_of(WORDS, st.integers(), st.floats(), st.none(), st.builds(Link, WORDS, NAMES))


@given(title=WORDS, lead=WORDS, name=NAMES, cells=st.lists(CELLS, min_size=1, max_size=4), remark=WORDS)
def test_whatever_is_said_the_page_is_whole_and_leads_nowhere_else(
    title: str, lead: str, name: str, cells: list[object], remark: str
) -> None:
    card = Card(title, name, name, [remark], [remark], [Link(remark, name)], name="one")
    parts = [Text(remark), Table([lead] * len(cells), [cells], title), card, card, Picture(name, title), card]
    html = page(title, [Section(title, parts)], lead)
    found = Reader(html)
    assert {tag for tag, _ in found.elements} <= {
        *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "div", "article", "figure"),
        *("h1", "h2", "h3", "p", "table", "caption", "thead", "tbody", "tr", "th", "td", "strong", "ul", "li", "a"),
        *("img", "audio", "figcaption"),
    }
    assert not any(attribute.startswith("on") for _, attributes in found.elements for attribute in attributes)
    for place in found.places():
        parts_of = urlsplit(place)
        assert (parts_of.scheme, parts_of.netloc) == ("", "")
        assert not place.startswith(("/", "\\"))
    assert name in [unquote(urlsplit(place).path) for place in found.places()]
    assert "".join(found.text.get("h1", [])) == title
    assert "url(" not in html
    assert "@import" not in html


def test_text_cannot_become_markup() -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    html = page(evil, [Section(evil, [Text(evil), Table([evil], [[evil]], evil), Card(evil, remarks=[evil])])], evil)
    found = Reader(html)
    assert found.of("script") == found.of("img") == []
    assert found.text["h3"] == [evil]


@pytest.mark.parametrize("path", ["/etc/passwd", "//example.com/x.png", ""])
def test_a_place_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="no place beside the page"):
        page("x", [Section("x", [Picture(path, "x")])])


def test_files_with_odd_names_are_found() -> None:
    html = page("x", [Section("x", [Card("x", picture="a b/50% #1?.png", sound="javascript:alert(1).wav")])])
    found = Reader(html)
    assert [a["src"] for a in found.of("img")] == ["a%20b/50%25%20%231%3F.png"]
    assert [a["src"] for a in found.of("audio")] == ["javascript%3Aalert%281%29.wav"]
    assert found.of("audio")[0]["preload"] == "none"


def test_numbers_stand_to_the_right_and_words_to_the_left() -> None:
    table = Table(["name", "loss", "why"], [["one", 1.23456, "it ended"], ["two", Strong(None), 3]])
    found = Reader(page("x", [Section("x", [table])]))
    assert [a.get("class") for a in found.of("td")] == ["number", None, "number", None]
    assert found.text["td"] == ["1.235", "it ended", "3"]
    assert found.text["strong"] == ["–"]
    assert [a["scope"] for a in found.of("th")] == ["col", "col", "col", "row", "row"]


def test_rows_must_fit_their_heads() -> None:
    with pytest.raises(ValueError, match="3 cells under 2 heads"):
        Table(["a", "b"], [[1, 2, 3]])


def test_cards_stand_together_and_other_parts_between_them() -> None:
    html = page("x", [Section("x", [Card("1"), Card("2"), Text("and"), Card("3")])])
    assert [len(re.findall("<article", group)) for group in html.split('<div class="cards">')[1:]] == [2, 1]


def test_links_to_cards_find_them() -> None:
    table = Table(["piece"], [[Link("first", "#piece-1")]])
    found = Reader(page("x", [Section("x", [table, Card("1", name="piece-1")])]))
    (link,) = (a["href"] for a in found.of("a"))
    assert link.removeprefix("#") in {a.get("id") for a in found.of("article")}


def test_a_page_opens_beside_its_files(tmp_path: Path) -> None:
    (tmp_path / "pieces").mkdir()
    (tmp_path / "pieces" / "Nächtliches Lied.png").write_bytes(b"")
    html = page("Lieder – neu", [Section("x", [Picture("pieces/Nächtliches Lied.png", "a picture")])])
    (tmp_path / "index.html").write_text(html, "utf-8")
    found = Reader((tmp_path / "index.html").read_text("utf-8"))
    assert all((tmp_path / unquote(place)).is_file() for place in found.places())


def test_big_numbers_are_readable() -> None:
    assert [number(value) for value in (1_234_567, 123456.7, 0.0, -3, 12.0)] == [
        "1,234,567",
        "123,457",
        "0",
        "-3",
        "12",
    ]


def test_an_embedded_page_refers_to_no_file_and_has_every_byte(tmp_path: Path) -> None:
    files = {"a b.png": b"\x89PNG a picture", "1.mp3": b"a sound", "1.mid": b"MThd"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    links = [Link("MIDI", "1.mid"), Link("Above", "#one")]
    card = Card('say src="x.png" <a href="y">', "a b.png", "1.mp3", ["3 s"], ["It ends."], links, name="one")
    html = page("Pieces", [Section("All", [card, Picture("a b.png", "A picture")])])
    whole = Reader(embedded(html, tmp_path))
    places = whole.places()
    assert all(place.startswith(("data:", "#")) for place in places)
    held = [base64.b64decode(place.partition(",")[2]) for place in places if place.startswith("data:")]
    assert sorted(held) == sorted([files["a b.png"], files["a b.png"], files["1.mp3"], files["1.mid"]])
    assert [a["download"] for a in whole.of("a") if "download" in a] == ["1.mid"]
    assert whole.of("audio")[0]["src"].startswith("data:audio/mpeg;base64,")
    assert whole.text == {**Reader(html).text, "a": ["MIDI", "Above"], "p": ["It ends.", " · "]}
    with pytest.raises(FileNotFoundError):
        embedded(page("Gone", [Section("All", [Picture("gone.png", "Gone")])]), tmp_path)
