"""Pictures: every roll shows its notes where they are, fits, is well-formed and is the same each time."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image

from partimento.errors import PartimentoError, Unreadable
from partimento.render import PICTURES, curves, drawing, render
from partimento.render.drawing import SCALE, Boxes, Drawing, Text
from partimento.render.legend import SHADES
from partimento.render.pages import LEFT, MOST_HEIGHT, WIDTH
from partimento.render.pictures import roll
from partimento.render.style import BLUE, DRUMS, GIVEN, PROMPT, TRACKS, mixed
from partimento.score import Note, Score, Tempo, TimeSignature, Track

from music import scores

PNG_WIDTH = round(WIDTH * SCALE)


def tune(bars: int = 8, *, velocity: int = 127, drums: bool = False, tracks: int = 1) -> Score:
    """Quarter notes in 4/4."""
    score = Score(480)
    score.time_signatures.append(TimeSignature(0, 4, 4))
    for number in range(tracks):
        track = Track("", number * 8 % 128, drums)
        for i in range(4 * bars):
            track.notes.append(Note(480 * i, 400, 36 + (i * 5 + number) % 40, velocity))
        score.tracks.append(track)
    return score


def words(drawn: Drawing) -> list[str]:
    return [shape.text for shape in drawn.shapes if isinstance(shape, Text)]


def boxes(drawn: Drawing, *colours: str) -> list[tuple[float, float, float, float]]:
    return [box for shape in drawn.shapes if isinstance(shape, Boxes) and shape.fill in colours for box in shape.boxes]


def shades(colour: str) -> list[str]:
    return [mixed(colour, 0.42 + 0.58 * level / (SHADES - 1)) for level in range(SHADES)]


@pytest.mark.parametrize("suffix", PICTURES)
def test_a_picture_is_written_whole_and_the_same_each_time(tmp_path: Path, suffix: str) -> None:
    one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    assert render(tune(), one, title="Noël & <friends>", view="roll") == ()
    render(tune(), two, title="Noël & <friends>", view="roll")
    assert one.read_bytes() == two.read_bytes()
    assert sorted(tmp_path.iterdir()) == [one, two]


def test_a_png_has_the_notes_in_their_colour(tmp_path: Path) -> None:
    render(tune(), tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        assert image.width == PNG_WIDTH
        assert image.height <= MOST_HEIGHT * SCALE
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    blue = tuple(int(BLUE[i : i + 2], 16) for i in (1, 3, 5))
    assert 0.002 < (pixels == blue).all(axis=1).mean() < 0.3


def test_an_svg_is_well_formed_and_says_what_the_png_says(tmp_path: Path) -> None:
    title = "Noël & <friends> \x00 \ud800"
    render(tune(), tmp_path / "x.svg", title=title, view="roll")
    root = ET.parse(tmp_path / "x.svg").getroot()
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert len(texts) == len(words(roll(tune(), title=title)[0]))
    assert any(text and text.startswith("Noël & <friends>") for text in texts)


@pytest.mark.parametrize(("tempi", "told"), [([], "120 bpm"), ([90], "90 bpm"), ([69, 144, 113], "69 to 144 bpm")])
def test_all_tempi_are_told(tmp_path: Path, tempi: list[int], told: str) -> None:
    score = tune()
    score.tempos = type(score.tempos)([Tempo(480 * at, qpm) for at, qpm in enumerate(tempi)])
    render(score, tmp_path / "x.svg", view="roll")
    assert told in (tmp_path / "x.svg").read_text()


def test_each_note_is_one_box_whose_width_is_its_length() -> None:
    score = Score(480)
    track = Track("", 0, False)
    track.notes.extend([Note(0, 480, 60, 127), Note(480, 960, 72, 127), Note(1440, 480, 60, 127)])
    score.tracks.append(track)
    drawn, _ = roll(score)
    first, second, third = boxes(drawn, BLUE)[1:]  # the first is the legend's
    assert first[0] == LEFT
    assert second[0] + second[2] < third[0] <= second[0] + second[2] + 1
    assert second[2] == pytest.approx(2 * first[2], abs=1.0)
    assert second[1] < first[1] == third[1]


def test_velocity_is_shade_and_equal_velocities_need_no_legend() -> None:
    score = tune(2)
    assert "soft to loud" not in words(roll(score)[0])
    score.tracks[0].notes[0].velocity = 16
    drawn, _ = roll(score)
    assert "soft to loud" in words(drawn)
    assert len(boxes(drawn, shades(BLUE)[0])) == 2  # the note and the legend's


def test_instruments_are_named_and_coloured_and_those_of_one_name_numbered() -> None:
    score = tune(tracks=3)
    score.tracks[2].program = 0
    drawn, _ = roll(score)
    names = words(drawn)
    assert {"Acoustic Grand Piano 1", "Acoustic Grand Piano 2", "Celesta"} <= set(names)
    assert all(boxes(drawn, colour) for colour in TRACKS[:3])


def test_drums_have_lanes_of_their_own_with_names() -> None:
    score = tune(drums=True)
    track = score.tracks[0]
    track.notes = type(track.notes)([Note(480 * i, 60, (36, 38, 42)[i % 3], 127) for i in range(12)])
    drawn, _ = roll(score)
    assert {"Kick", "Snare", "Closed hat", "Drums"} <= set(words(drawn))
    assert len({box[1] for box in boxes(drawn, DRUMS)[1:]}) == 3
    assert not any(word.startswith("C4") for word in words(drawn))


def test_bars_are_numbered_by_the_metre() -> None:
    score = tune(6)
    score.time_signatures.append(TimeSignature(4 * 480, 3, 4))
    numbers = [int(word) for word in words(roll(score)[0]) if word.isdigit()]
    assert numbers == list(range(1, 9))  # one bar of 4/4 and 20 quarters in threes


def test_the_prompt_is_shaded_up_to_where_new_music_begins() -> None:
    score = tune(4)
    drawn, _ = roll(score, new_from=2 * 4 * 480)
    assert "prompt" in words(drawn)
    ground = boxes(drawn, PROMPT)[1:]
    assert len(ground) == 1
    assert ground[0][0] == LEFT
    assert ground[0][2] == pytest.approx((WIDTH - LEFT - 24) / 2, abs=1)
    assert not boxes(roll(score)[0], PROMPT)
    assert not boxes(roll(score, new_from=0)[0], PROMPT)


def test_what_was_given_is_grey_and_what_is_new_has_its_colour() -> None:
    was, beat = tune(4), tune(4, drums=True)
    made = was.copy()
    for number in (5, 6):
        made.tracks[0].notes[number].pitch += 1
    drawn, _ = roll(made, given=was)
    assert "as it was" in words(drawn)
    assert len(boxes(drawn, BLUE)) == 3  # two notes and the legend
    assert len(boxes(drawn, GIVEN)) == 14 + 1
    made = was.copy()
    made.tracks.append(beat.tracks[0])
    drawn, _ = roll(made, given=was)
    assert not boxes(drawn, BLUE), "an instrument that plays nothing new"
    assert "Acoustic Grand Piano" not in words(drawn)
    assert len(boxes(drawn, DRUMS)) == 16 + 1
    assert len(boxes(drawn, GIVEN)) == 16 + 1
    assert "as it was" not in words(roll(made)[0])


def test_long_music_is_wrapped_and_longer_music_is_cut_and_says_so(tmp_path: Path) -> None:
    wrapped, remarks = roll(tune(90))
    assert remarks == ()
    assert 3 <= len({box[1] for box in boxes(wrapped, "#fafbfc")}) <= 12
    assert len(boxes(wrapped, BLUE)) >= 90 * 4
    (remark,) = render(tune(4000), tmp_path / "long.png")
    assert "only" in remark
    with Image.open(tmp_path / "long.png") as image:
        assert image.width * image.height < 15_000_000
    cut, _ = roll(tune(4000))
    assert cut.height <= MOST_HEIGHT
    assert any(word.startswith("only the first") for word in words(cut))


def test_twenty_instruments_share_colours_by_instrument_and_fit_the_legend() -> None:
    drawn, _ = roll(tune(4, tracks=20))
    assert all(shape.x < WIDTH for shape in drawn.shapes if isinstance(shape, Text))


def test_an_empty_score_is_an_empty_roll(tmp_path: Path) -> None:
    assert render(Score(480), tmp_path / "empty.png") == ()
    assert "No notes" in words(roll(Score(480))[0])


def test_a_score_that_ends_as_it_begins_has_a_tempo() -> None:
    score = Score(480)
    score.tracks.append(Track("", 0, False))
    score.tracks[0].notes.append(Note(0, 0, 60, 64))
    assert any("120 bpm" in word for word in words(roll(score)[0]))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(score=scores(max_tracks=14))
def test_any_score_makes_a_bounded_picture_with_everything_inside(score: Score, tmp_path: Path) -> None:
    drawn, _ = roll(score, title="any", new_from=7)
    assert drawn.width == WIDTH
    assert drawn.height <= MOST_HEIGHT
    for shape in drawn.shapes:
        for x, y, width, height in shape.boxes if isinstance(shape, Boxes) else []:
            assert -0.51 <= x <= x + width <= WIDTH + 2
            assert 0 <= y <= y + height <= drawn.height
    drawn.write(tmp_path / "any.png")
    drawn.write(tmp_path / "any.svg")
    ET.parse(tmp_path / "any.svg")


def test_extreme_scores_are_drawn_quickly_all_the_same() -> None:
    score = Score(1)
    track = Track("", 0, False)
    track.notes.extend([Note(0, 1, 0, 1), Note(2_000_000_000, 1, 127, 127)])
    score.tracks.append(track)
    score.time_signatures.append(TimeSignature(0, 1, 64))
    score.tempos.append(Tempo(0, 5000.0))
    drawn, remarks = roll(score)
    assert drawn.height <= MOST_HEIGHT
    assert remarks


def test_a_title_in_letters_that_the_font_lacks_loses_its_accents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_dejavu", lambda size: None)
    assert drawing._font("Noël, Łódź", 20)[1] == "Noel, ?odz"
    assert drawing._font("plain · ascii", 20)[1] == "plain · ascii"


def test_another_suffix_is_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(PartimentoError, match=r"\.png or \.svg.*\.pdf.*\.wav, \.flac, \.ogg, \.mp3"):
        render(tune(), tmp_path / "x.gif")
    (tmp_path / "file").write_text("")
    with pytest.raises(PartimentoError, match="cannot be written"):
        render(tune(), tmp_path / "file" / "x.png")


def test_a_score_without_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PartimentoError, match="0 ticks to a quarter note"):
        render(Score(0), tmp_path / "x.png")


CSV = "update,loss,held-out loss,held-out accuracy,notes/s,seconds\n"


def test_curves_are_drawn_with_the_best_update_named_and_are_reproducible(tmp_path: Path) -> None:
    rows = [
        f"{u},{4 / u:.4f},{'' if u % 5 else 3 + abs(u - 40) / 50},{'' if u % 5 else u / 200},5000,{u}"
        for u in range(1, 101)
    ]
    (tmp_path / "curves.csv").write_text(CSV + "\n".join(rows) + "\n")
    curves.draw(tmp_path / "curves.csv", tmp_path / "one.svg")
    curves.draw(tmp_path / "curves.csv", tmp_path / "two.svg")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert "update 40" in (tmp_path / "one.svg").read_text()
    curves.draw(tmp_path / "curves.csv", tmp_path / "one.png")
    with Image.open(tmp_path / "one.png") as image:
        assert np.asarray(image.convert("L")).std() > 10


@pytest.mark.parametrize(
    "table",
    [CSV + "1,2.0,2.1,0.4,5000,1\n", "update,loss\n1,2\n2,1.5\n", CSV + "1,2,,,5000,1\n2,inf,,,1,2\n3,1,,,5,3\n"],
)
def test_curves_of_few_figures_are_drawn(tmp_path: Path, table: str) -> None:
    (tmp_path / "curves.csv").write_text(table)
    curves.draw(tmp_path / "curves.csv", tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 5_000


def test_each_of_two_sides_has_its_line(tmp_path: Path) -> None:
    rows = [f"{n},{5 / n:.3f},,{n / 9:.3f}" for n in range(1, 9)]
    (tmp_path / "curves.csv").write_text("update,critic loss,critic margin,generator loss\n" + "\n".join(rows) + "\n")
    curves.draw(tmp_path / "curves.csv", tmp_path / "x.svg")
    drawn = (tmp_path / "x.svg").read_text()
    assert "<!-- critic -->" in drawn
    assert "<!-- generator -->" in drawn
    assert "margin" not in drawn


def test_a_held_out_loss_that_is_another_figure_has_an_axis_of_its_own(tmp_path: Path) -> None:
    rows = [f"{n},{-400 - n},{13 - n / 10},{n / 90},{n}" for n in range(1, 31)]
    (tmp_path / "curves.csv").write_text(
        "update,loss,held-out loss,held-out accuracy,seconds\n" + "\n".join(rows) + "\n"
    )
    drawn = {}
    for name, figure in (("one", ""), ("two", "nats of pseudo-likelihood")):
        curves.draw(tmp_path / "curves.csv", tmp_path / f"{name}.svg", held_out=figure)
        drawn[name] = (tmp_path / f"{name}.svg").read_text()
    panels = {name: len(re.findall(r'id="axes_\d+"', text)) for name, text in drawn.items()}
    assert panels == {"one": 2, "two": 3}
    assert "loss (nats)" in drawn["one"]
    assert "loss (nats)" not in drawn["two"]
    for said in ("nats of pseudo-likelihood", "loss of learning", "best 10, update 30"):
        assert f"<!-- {said} -->" in drawn["two"]


def test_nothing_is_written_over_a_curve_or_below_its_axis(tmp_path: Path) -> None:
    """The best is told in the legend, above the panel; the last accuracy beside it, as high as its point."""
    rows = [f"{n},{5 + n % 7 / 9},{5 + n % 5 / 9},0.0" for n in range(1, 41)]
    (tmp_path / "curves.csv").write_text("update,loss,held-out loss,held-out accuracy\n" + "\n".join(rows) + "\n")
    curves.draw(tmp_path / "curves.csv", tmp_path / "x.svg")
    drawn = (tmp_path / "x.svg").read_text()
    above, beneath = (panel(drawn, number) for number in (1, 2))

    def place(text: str) -> tuple[float, float]:
        found = re.search(rf"<!-- {text} -->\s*<g [^>]*translate\(([\d.]+) ([\d.]+)\)", drawn)
        assert found, text
        return float(found[1]), float(found[2])

    assert place("best 5, update 5")[1] < above[1]
    x, y = place(r"0\.0 %")
    assert x > beneath[2]
    assert beneath[1] < y < beneath[3]


def panel(drawn: str, number: int) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a panel: its background is the first path in it."""
    found = re.search(rf'id="axes_{number}".*?<path d="([^"]+)"', drawn, re.DOTALL)
    assert found
    corners = np.array([float(part) for part in re.findall(r"[\d.]+", found[1])]).reshape(-1, 2)
    (left, top), (right, bottom) = corners.min(0), corners.max(0)
    return float(left), float(top), float(right), float(bottom)


@pytest.mark.parametrize("table", ["", "update,loss\n", "a,b\n1,2\n", "update,loss\n1,x\n", "update,loss\n1\n"])
def test_what_is_no_table_of_curves_is_refused(tmp_path: Path, table: str) -> None:
    (tmp_path / "curves.csv").write_text(table)
    with pytest.raises(Unreadable, match=r"curves\.csv"):
        curves.draw(tmp_path / "curves.csv", tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()
