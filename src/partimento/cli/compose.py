"""`partimento compose`: new music from a trained model, or from the one that comes along."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from partimento.bundle import COMES_ALONG, Bundle, open_bundle
from partimento.cli.cells import Plan, Versions, Wishes, compose_planned, compose_planned_again
from partimento.cli.numbers import WholeOrNone
from partimento.cli.streaming import print_notes
from partimento.cli.terminal import say, watching
from partimento.codec import Request
from partimento.composing import Composed, Order, Sound, compose_again, compose_into, composing_tables
from partimento.errors import ImpossibleRequest, PartimentoError
from partimento.filling.files import is_of_cells
from partimento.guards import Guards
from partimento.prompts import Opening, prompt_from_file, random_prompt
from partimento.sampling import Sampling
from partimento.settings import describe, from_table

_REQUEST = describe(Request)
_SAMPLING = describe(Sampling)
BESIDE_A_STREAM = "cannot go with --stream, which tells one piece while it is made: leave one or the other out."
BESIDE_AGAIN = "is of no effect on a piece that is made --again, exactly as it was: leave it out, or compose anew."


def compose(
    model: Path | None = None,
    /,
    *,
    to: Path | None = None,
    n: Annotated[WholeOrNone, Parameter(name=["-n", "--number"])] = None,
    seed: WholeOrNone = None,
    bars: Annotated[WholeOrNone, Parameter(help=_REQUEST["bars"])] = None,
    seconds: Annotated[float | None, Parameter(help=_REQUEST["seconds"])] = None,
    notes: Annotated[WholeOrNone, Parameter(help=_REQUEST["notes"])] = None,
    prompt: str | None = None,
    prompt_bars: WholeOrNone = None,
    prompt_notes: WholeOrNone = None,
    temperature: Annotated[float | None, Parameter(help=_SAMPLING["temperature"])] = None,
    top_k: Annotated[WholeOrNone, Parameter(help=_SAMPLING["top_k"])] = None,
    top_p: Annotated[float | None, Parameter(help=_SAMPLING["top_p"])] = None,
    min_p: Annotated[float | None, Parameter(help=_SAMPLING["min_p"])] = None,
    sound: Sound = "wav",
    soundfont: Path | None = None,
    max_copied: float | None = None,
    best: WholeOrNone = None,
    again: Path | None = None,
    stream: Annotated[bool, Parameter(negative="")] = False,
    plan: Annotated[Plan | None, Parameter(name="*")] = None,
    wishes: Annotated[Wishes | None, Parameter(name="*")] = None,
    set_: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = (),
) -> None:
    """Compose new music with a trained model, or with the one that comes along.

    Without bars, seconds or notes, a piece is as long as the model's recipe says, or ends where the model ends it. A
    form, instruments, a metre, a tempo, chords, a density, a range or a polyphony can be asked of runs of the recipe
    nested; without bars there are sixteen of them then.

    Args:
        model: A bundle, or the folder of a run; the model that comes along if not given. With --again only where the
            piece does not say where its model lies.
        to: A new folder: for each piece a MIDI file, its sound, a picture and what made it. Not with --stream.
        n: How many pieces; 1 if not given.
        seed: The same seed gives the same music; 0 if not given.
        prompt: A file to go on from, or "random" for some bars of a run's held-out pieces.
        prompt_bars: How many bars of the prompt to take; 4 if nothing is said.
        prompt_notes: How many notes of the prompt to take, in place of bars.
        sound: The sound's format, or none.
        soundfont: Play with this SoundFont (.sf2) instead of the installed one.
        max_copied: Bars of the longest passage that a piece may share with what a run learnt from, in any key; what
            goes on longer is written again.
        best: Keep only so many of the pieces, those most like the music that was learnt from; each says why.
        stream: Print each note as a line of JSON as soon as its bar is complete, and write no files.
        again: Make this piece (its .mid or .json) again, exactly; what it was made with is in it.
        plan: What the piece is to be.
        wishes: What is asked of all that is written.
        set_: Change a setting of the player, the sampling, the guards or the request, e.g. --set guards.loop_repeats=4
            or, of a VAE, --set player.walk=0.5; can be given several times. `partimento recipes NAME` lists all but
            the guards, which are loop_repeats, loop_shortest and loop_longest.
    """
    wished = _said(wishes)
    asked = {"bars": bars, "seconds": seconds, "notes": notes, "key": wished.pop("key", None)}
    drawn = {"temperature": temperature, "top-k": top_k, "top-p": top_p, "min-p": min_p}
    opening = {"prompt-bars": prompt_bars, "prompt-notes": prompt_notes}
    chosen = {"max-copied": max_copied, "best": best}
    planned = _given({**_said(plan), **wished})
    if prompt is None and _given(opening):
        raise ImpossibleRequest(f"--{next(iter(_given(opening)))} is of a prompt: name one by --prompt FILE or random.")
    if stream:
        _refuse({"to": to, "number": n, **chosen, "again": again, **planned}, BESIDE_A_STREAM)
    elif to is None:
        raise ImpossibleRequest("Say where to: --to NEW_FOLDER; or --stream to print the notes.")
    if again is not None:
        _refuse({"number": n, "seed": seed, **asked, "prompt": prompt, **drawn, **chosen, **planned}, BESIDE_AGAIN)
        _refuse({"set": set_ or None}, BESIDE_AGAIN)
    elif planned:
        others = {"notes": notes, "prompt": prompt, "max-copied": max_copied, "top-k": top_k, "min-p": min_p}
        _refuse(others, f"cannot go with --{next(iter(planned))}: leave one or the other out.")

    def order() -> tuple[Bundle, Order]:
        """The model, and all that is ordered of it."""
        bundle = open_bundle(model)
        ids, source = _prompt(model, bundle, prompt, _opening(prompt_bars, prompt_notes), seed or 0)
        sampling = {name.replace("-", "_"): value for name, value in _given(drawn).items()}
        tables = composing_tables(bundle.recipe, set_, request=_given(asked), sampling=sampling)
        return bundle, Order(
            n=1 if n is None else n,
            seed=seed or 0,
            request=from_table(Request, tables["request"], "request"),
            sampling=from_table(Sampling, tables["sampling"], "sampling"),
            guards=from_table(Guards, tables["guards"], "guards"),
            prompt=ids,
            prompt_from=source,
            player=tables["player"],
            max_copied=max_copied,
        )

    if to is None:
        print_notes(*order())
        return
    with watching() as watch, _telling_what_is_there(to):
        if again is not None and is_of_cells(again):
            compose_planned_again(again, Versions(to, model, sound=sound, soundfont=soundfont), watch)
        elif again is not None:
            _report([compose_again(again, to, model, sound=sound, soundfont=soundfont, watch=watch)])
        elif planned:
            versions = Versions(to, model, 1 if n is None else n, seed or 0, temperature, top_p, sound, soundfont, set_)
            compose_planned(plan or Plan(), bars, seconds, wishes, versions, best, watch)
        else:
            bundle, ordered = order()
            _report(compose_into(to, bundle, ordered, sound=sound, soundfont=soundfont, best=best, watch=watch))


@contextmanager
def _telling_what_is_there(folder: Path) -> Iterator[None]:
    """Say how many pieces were made where the command does not come to its end, by Ctrl-C or on a full disk."""
    try:
        yield
    except PartimentoError:
        raise  # before the first, or of a model that cannot go on
    except BaseException:
        made = len(list(folder.glob("*.mid")))
        if made:
            say(f"{made} {'piece' if made == 1 else 'pieces'} made until then: {folder}")
        raise


def _refuse(others: Mapping[str, Any], why: str) -> None:
    """Refuse what cannot go with something else that is asked for.

    Args:
        others: values by the names of their flags; None for what is not said.
        why: the rest of the sentence.

    Raises:
        ImpossibleRequest: names the first.
    """
    if said := list(_given(others)):
        raise ImpossibleRequest(f"--{said[0]} {why}")


def _said(table: Plan | Wishes | None) -> dict[str, Any]:
    """What is said, by the names of the flags."""
    return {} if table is None else dataclasses.asdict(table)


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _opening(bars: int | None, notes: int | None) -> Opening:
    if bars is not None and notes is not None:
        raise ImpossibleRequest("Give --prompt-bars or --prompt-notes, not both.")
    if notes is not None:
        return Opening(notes, "notes")
    return Opening(4 if bars is None else bars)


def _prompt(
    model: Path | None, bundle: Bundle, prompt: str | None, opening: Opening, seed: int
) -> tuple[np.ndarray[Any, Any], str]:
    if prompt is None:
        return np.empty(0, dtype=np.int64), ""
    if prompt == "random":
        ids, number = random_prompt(Path(COMES_ALONG) if model is None else model, bundle, opening, seed)
        return ids, f"held-out piece {number + 1} of the run"
    ids, remarks = prompt_from_file(bundle, Path(prompt), opening)
    for remark in remarks:
        say(f"{prompt}: {remark}")
    return ids, Path(prompt).name


def _report(pieces: list[Composed]) -> None:
    for piece in pieces:
        say(f"{piece.midi}: {piece.notes} new notes, {piece.seconds:.0f} s of music. " + " ".join(piece.remarks))
