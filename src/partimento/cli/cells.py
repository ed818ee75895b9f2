"""What the commands share that write cells: what is asked of them, how they are made, and the words for both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from partimento.bundle import Bundle, open_bundle
from partimento.cli.numbers import Whole, whole
from partimento.cli.terminal import say, watching
from partimento.codec import Request
from partimento.codecs.cells import Cells
from partimento.codecs.cells.asking import Wish
from partimento.composing import Sound, composing_tables
from partimento.errors import ImpossibleRequest
from partimento.files import read_safely
from partimento.filling import Asked, Filled, Manner, Task
from partimento.filling.composition import Composition, bars_within
from partimento.filling.files import compose_cells_again, compose_cells_into, fill_into
from partimento.filling.possible import require_filling
from partimento.generation.requests import MOST
from partimento.guards import Guards
from partimento.harmony import chords_named, pitch_named
from partimento.instruments import programs_named
from partimento.progress import Watch
from partimento.sampling import Sampling
from partimento.score import Score
from partimento.settings import describe, from_table, name_of

_SAMPLING = describe(Sampling)
MOST_DIGITS = 9
USUAL_BARS = 16
EachOrAll = Annotated[str | None, Parameter(allow_leading_hyphen=True)]  # for -,G3


@dataclass(frozen=True)
class Wishes:
    """What is asked of what is written; the first four of all tracks alike, or one by one: G3,G3,C3,C2 (- for none)."""

    density: EachOrAll = None
    """About so many notes for each quarter note, in each track and bar, 0.25 to 16, never a third more or fewer, but
    one at least in a bar; or one for each track that is written, in the order of their numbers: 2,1,0.5."""
    lowest: EachOrAll = None
    """No pitch is lower, e.g. C3 (C4 is middle C) or 48; or one for each track: G3,G3,C3,C2, with - for none."""
    highest: EachOrAll = None
    """No pitch is higher; or one for each track."""
    polyphony: EachOrAll = None
    """So many notes of a track sound at once in each bar in which it plays, and no more; or one for each track: 1,4."""
    key: str | None = None
    """No new pitch lies outside of this key or scale, e.g. "G minor" or "D dorian"; drums are not meant."""
    chords: str | None = None
    """A chord for each bar, from the first that may be written on and over again: "C G Am F". On strong beats its tones
    alone are struck. In a form as many as a section's bars, or fewer, begin anew with each."""

    def asked(self) -> Asked:
        """The same, understood."""
        return Asked(
            density=_one_by_one(self.density, _number),
            lowest=_one_by_one(self.lowest, pitch_named),
            highest=_one_by_one(self.highest, pitch_named),
            polyphony=_one_by_one(self.polyphony, _count),
            key=self.key,
            chords=() if self.chords is None else chords_named(self.chords),
        )


def _one_by_one(text: str | None, understood: Callable[[str], float]) -> Wish:
    """What is asked of all tracks, or of one after the other where there are commas; - asks nothing."""
    if text is None:
        return None
    wishes = tuple(None if part.strip() in ("", "-") else understood(part) for part in text.split(","))
    return wishes[0] if len(wishes) == 1 else wishes


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ImpossibleRequest(
            f"--density takes a number, or one for each track, as in 2,1; {text!r} is none."
        ) from error


def _count(text: str) -> int:
    try:
        return whole(text)
    except ValueError as error:
        raise ImpossibleRequest(f"--polyphony: {error}; each track may have its own, as in 1,4.") from error


@dataclass(frozen=True)
class Plan:
    """What a piece is to be that is composed from what is asked."""

    instruments: str | None = None
    """Who plays, e.g. violin,piano or choir,bass,drums (General MIDI's names); those that the learnt music usually has
    if not given. Scores give each hand of a piano a track: piano,piano."""
    form: str | None = None
    """A letter for each section, e.g. AABA: what returns is put again, and varied."""
    varied: float | None = None
    """The share of a return that is written anew, 0 to 1; 0.3 if not given."""
    metre: str | None = None
    """Such as 3/4; the learnt music's usual one if not given."""
    tempo: float | None = None
    """Quarter notes a minute; the learnt music's usual one if not given."""

    def composition(self, bars: int | None, seconds: float | None, codec: Cells) -> Composition:
        """The same, understood.

        Args:
            bars: how many; without them and seconds sixteen, or as many more as the form wants.
            seconds: that the piece lasts at most, in place of bars.
            codec: whose usual metre and tempo count where none are given.
        """
        sections = len(self.form or "A")
        metre = None if self.metre is None else _metre(self.metre)
        if bars is not None and seconds is not None:
            raise ImpossibleRequest("A piece is as long as its bars or as its seconds say: ask for one of them.")
        if seconds is not None:
            bars = bars_within(seconds, codec, sections=sections, metre=metre, tempo=self.tempo)
        bars = -(-USUAL_BARS // sections) * sections if bars is None else bars
        if self.varied is not None and self.form is None:
            raise ImpossibleRequest("--varied is of what returns in a form: name one, e.g. --form AABA.")
        return Composition(
            bars=bars,
            programs=() if self.instruments is None else programs_named(self.instruments),
            form="A" if self.form is None else self.form.upper(),
            varied=0.3 if self.varied is None else self.varied,
            metre=metre,
            tempo=self.tempo,
        )


def _metre(text: str) -> tuple[int, int]:
    numerator, slash, denominator = text.partition("/")
    if not (slash and _is_number(numerator) and _is_number(denominator)):
        raise ImpossibleRequest(f"--metre takes two numbers, as in 3/4; {text!r} is not that.")
    return int(numerator), int(denominator)


@dataclass(frozen=True)
class Versions:
    """What is made, and how."""

    to: Path
    """A new folder: for each version a MIDI file, its sound, a picture and what made it."""
    model: Path | None = None
    """A bundle or a run of the recipe nested; the model that comes along if not given."""
    n: Annotated[Whole, Parameter(name=["-n", "--number"])] = 1
    """How many versions."""
    seed: Whole = 0
    """The same seed gives the same music."""
    temperature: Annotated[float | None, Parameter(help=_SAMPLING["temperature"])] = None
    top_p: Annotated[float | None, Parameter(help=_SAMPLING["top_p"])] = None
    sound: Sound = "wav"
    """The sounds' format, or none."""
    soundfont: Path | None = None
    """Play with this SoundFont (.sf2) instead of the installed one."""
    set_: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = ()
    """Change a setting of the sampling, the guards or the request, e.g. --set request.longest_note=4; can be given
    several times."""

    def sounds(self) -> dict[str, Any]:
        """How they sound, as the functions of `filling.files` take it."""
        return {"sound": self.sound, "soundfont": self.soundfont}


def make(
    piece: Path,
    task: Task,
    wishes: Wishes | None,
    versions: Versions,
    *,
    prepared: Callable[[Score], Score] = lambda score: score,
) -> None:
    """Write versions of a piece into a folder, and say what they are."""
    bundle, manner = _understood(wishes, versions)
    reading = read_safely(piece)
    for repair in reading.repairs:
        say(f"{piece}: {repair}")
    with watching() as watch:
        score = prepared(reading.score)
        _say(fill_into(versions.to, bundle, score, task, manner, name=piece.name, watch=watch, **versions.sounds()))


def compose_planned(
    plan: Plan,
    bars: int | None,
    seconds: float | None,
    wishes: Wishes | None,
    versions: Versions,
    best: int | None,
    watch: Watch,
) -> None:
    """Compose pieces from what is asked into a folder, and say what they are."""
    bundle, manner = _understood(wishes, versions)
    wanted = plan.composition(bars, seconds, require_filling(bundle))
    _say(compose_cells_into(versions.to, bundle, wanted, manner, best=best, watch=watch, **versions.sounds()))


def compose_planned_again(file: Path, versions: Versions, watch: Watch) -> None:
    """Compose a piece again that was composed from what was asked, and say what it is."""
    _say([compose_cells_again(file, versions.to, versions.model, watch=watch, **versions.sounds())])


def _understood(wishes: Wishes | None, versions: Versions) -> tuple[Bundle, Manner]:
    """The model, and how it is to write.

    Raises:
        ImpossibleRequest: something cannot be.
    """
    asked = (wishes or Wishes()).asked()
    bundle = open_bundle(versions.model)
    chances = {"temperature": versions.temperature, "top_p": versions.top_p}
    drawn = {name: value for name, value in chances.items() if value is not None}
    tables = composing_tables(bundle.recipe, versions.set_, sampling=drawn)
    if lengths := [one for one in versions.set_ if name_of(one) in {f"request.{length}" for length in MOST}]:
        raise ImpossibleRequest(f"How long the piece is has been said: leave out --set {lengths[0]}.")
    if of_player := [one for one in versions.set_ if name_of(one).startswith("player.")]:
        raise ImpossibleRequest(f"What writes cells has no settings of a player: leave out --set {of_player[0]}.")
    request = from_table(Request, {**tables["request"], **dict.fromkeys(MOST)}, "request")
    if request.key is not None:
        raise ImpossibleRequest('A key is asked for by --key, as in --key "G minor": leave out --set request.key.')
    return bundle, Manner(
        asked=asked,
        n=versions.n,
        seed=versions.seed,
        sampling=from_table(Sampling, tables["sampling"], "sampling"),
        guards=from_table(Guards, tables["guards"], "guards"),
        longest_note=request.longest_note,
        longest_silence=request.longest_silence,
    )


def _say(written: Sequence[tuple[Path, Filled]]) -> None:
    for midi, filled in written:
        say(f"{midi}: {filled.notes} new notes. " + " ".join(filled.remarks))


def _is_number(text: str) -> bool:
    return text.strip().isdecimal() and len(text.strip()) <= MOST_DIGITS


def bars_of(text: str | None) -> tuple[int, int] | None:
    """The first and the last bar that `5-8` or `5` names."""
    if text is None:
        return None
    first, dash, last = text.partition("-")
    if not _is_number(first) or (dash and not _is_number(last)):
        raise ImpossibleRequest(f"--bars takes two numbers, as in 5-8, or one; {text!r} is not that.")
    return int(first), int(last if dash else first)


def tracks_of(text: str | None) -> tuple[int, ...] | None:
    """The tracks that `1,3` names."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(_is_number(part) for part in parts):
        raise ImpossibleRequest(f"--tracks takes numbers with commas between them, as in 1,3; {text!r} is not that.")
    return tuple(int(part) for part in parts)
