"""`partimento compose`: new music from a trained model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from partimento.bundle import Bundle, open_bundle
from partimento.cli.cells import Plan, Versions, Wishes, compose_planned
from partimento.cli.streaming import print_notes, refuse_beside_a_stream
from partimento.cli.terminal import say, watching
from partimento.codec import Request
from partimento.composing import Composed, Order, Sound, compose_again, compose_into, composing_tables
from partimento.errors import ImpossibleRequest, PartimentoError
from partimento.guards import Guards
from partimento.prompts import Opening, prompt_from_file, random_prompt
from partimento.sampling import Sampling
from partimento.settings import describe, from_table

_REQUEST = describe(Request)
_SAMPLING = describe(Sampling)


def compose(
    model: Path | None = None,
    /,
    *,
    to: Path | None = None,
    n: Annotated[int | None, Parameter(name=["-n", "--number"])] = None,
    seed: int | None = None,
    bars: Annotated[int | None, Parameter(help=_REQUEST["bars"])] = None,
    seconds: Annotated[float | None, Parameter(help=_REQUEST["seconds"])] = None,
    notes: Annotated[int | None, Parameter(help=_REQUEST["notes"])] = None,
    prompt: str | None = None,
    prompt_bars: int | None = None,
    prompt_notes: int | None = None,
    temperature: Annotated[float | None, Parameter(help=_SAMPLING["temperature"])] = None,
    top_k: Annotated[int | None, Parameter(help=_SAMPLING["top_k"])] = None,
    top_p: Annotated[float | None, Parameter(help=_SAMPLING["top_p"])] = None,
    min_p: Annotated[float | None, Parameter(help=_SAMPLING["min_p"])] = None,
    sound: Sound = "wav",
    soundfont: Path | None = None,
    max_copied: float | None = None,
    best: int | None = None,
    again: Path | None = None,
    stream: Annotated[bool, Parameter(negative="")] = False,
    plan: Annotated[Plan | None, Parameter(name="*")] = None,
    wishes: Annotated[Wishes | None, Parameter(name="*")] = None,
    set_: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = (),
) -> None:
    """Compose new music with a trained model.

    Without bars, seconds or notes, a piece is as long as the model's recipe says, or ends where the model ends it. A
    form, instruments, a metre, a tempo, chords, a density, a range or a polyphony can be asked of runs of the recipe
    nested; without bars there are sixteen of them then.

    Args:
        model: A bundle, or the folder of a run. With --again only where the piece does not say where its model lies.
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
            or --set player.walk=0.5; can be given several times. `partimento recipes NAME` lists all but the guards,
            which are loop_repeats, loop_shortest and loop_longest.
    """
    asked = {"bars": bars, "seconds": seconds, "notes": notes}
    drawn = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p}
    opening = {"prompt-bars": prompt_bars, "prompt-notes": prompt_notes}
    planned = plan is not None or wishes is not None
    if prompt is None and _given(opening):
        raise ImpossibleRequest(f"--{next(iter(_given(opening)))} is of a prompt: name one by --prompt FILE or random.")
    if stream:
        refuse_beside_a_stream(
            {"to": to, "number": n, "max-copied": max_copied, "best": best, "again": again, "plan": plan or wishes}
        )
        bundle = open_bundle(_named(model))
        ids, _ = _prompt(_named(model), bundle, prompt, _opening(prompt_bars, prompt_notes), seed or 0)
        tables = composing_tables(bundle.recipe, set_, request=_given(asked), sampling=_given(drawn))
        print_notes(bundle, ids, seed or 0, tables)
        return
    if to is None:
        raise ImpossibleRequest("Say where to: --to NEW_FOLDER; or --stream to print the notes.")
    with watching() as watch, _telling_what_is_there(to):
        if again is not None:
            others: dict[str, Any] = {"number": n, "seed": seed, **asked, "prompt": prompt, **drawn}
            others |= {"max-copied": max_copied, "best": best, "set": set_ or None, "form or --chords": planned or None}
            _refuse_beside_again(others)
            pieces = [compose_again(again, to, model, sound=sound, soundfont=soundfont, watch=watch)]
        elif planned:
            others = {"seconds": seconds, "notes": notes, "prompt": prompt, "max-copied": max_copied, "best": best}
            _refuse_beside_a_plan({**others, "top-k": top_k, "min-p": min_p})
            composition = (plan or Plan()).composition(bars)
            versions = Versions(
                to, _named(model), 1 if n is None else n, seed or 0, temperature, top_p, sound, soundfont, set_
            )
            compose_planned(composition, wishes, versions, watch)
            return
        else:
            bundle = open_bundle(_named(model))
            seed = seed or 0
            ids, source = _prompt(_named(model), bundle, prompt, _opening(prompt_bars, prompt_notes), seed)
            tables = composing_tables(bundle.recipe, set_, request=_given(asked), sampling=_given(drawn))
            order = Order(
                n=1 if n is None else n,
                seed=seed,
                request=from_table(Request, tables["request"], "request"),
                sampling=from_table(Sampling, tables["sampling"], "sampling"),
                guards=from_table(Guards, tables["guards"], "guards"),
                prompt=ids,
                prompt_from=source,
                player=tables["player"],
                max_copied=max_copied,
            )
            pieces = compose_into(to, bundle, order, sound=sound, soundfont=soundfont, best=best, watch=watch)
    _report(pieces)


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


def _refuse_beside_again(others: dict[str, Any]) -> None:
    """Refuse what a piece that is made again was made with already.

    Raises:
        ImpossibleRequest: names it.
    """
    said = list(_given(others))
    if said:
        raise ImpossibleRequest(
            f"--{said[0].replace('_', '-')} is of no effect on a piece that is made --again, exactly as it was: leave "
            "it out, or compose anew."
        )


def _refuse_beside_a_plan(others: dict[str, Any]) -> None:
    """Refuse what a piece cannot be that is written from what is asked of it.

    Raises:
        ImpossibleRequest: names it.
    """
    said = list(_given(others))
    if said:
        raise ImpossibleRequest(
            f"--{said[0]} cannot go with a form, instruments, a metre, a tempo, chords, a density, a range or a "
            "polyphony: leave one or the other out."
        )


def _named(model: Path | None) -> Path:
    """The model, where one is named.

    Raises:
        ImpossibleRequest: none is.
    """
    if model is None:
        raise ImpossibleRequest("Name a model: the folder of a run or of a bundle, as `partimento train` makes it.")
    return model


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _opening(bars: int | None, notes: int | None) -> Opening:
    if bars is not None and notes is not None:
        raise ImpossibleRequest("Give --prompt-bars or --prompt-notes, not both.")
    if notes is not None:
        return Opening(notes, "notes")
    return Opening(4 if bars is None else bars)


def _prompt(
    model: Path, bundle: Bundle, prompt: str | None, opening: Opening, seed: int
) -> tuple[np.ndarray[Any, Any], str]:
    if prompt is None:
        return np.empty(0, dtype=np.int64), ""
    if prompt == "random":
        ids, number = random_prompt(model, bundle, opening, seed)
        return ids, f"held-out piece {number + 1} of the run"
    ids, remarks = prompt_from_file(bundle, Path(prompt), opening)
    for remark in remarks:
        say(f"{prompt}: {remark}")
    return ids, Path(prompt).name


def _report(pieces: list[Composed]) -> None:
    for piece in pieces:
        say(f"{piece.midi}: {piece.notes} new notes, {piece.seconds:.0f} s of music. " + " ".join(piece.remarks))
