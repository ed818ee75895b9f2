"""`partimento demo`: all of it on the Bach chorales."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from partimento.cli.numbers import WholeOrNone
from partimento.cli.terminal import say, watching
from partimento.cli.train import needs_training


def demo(*, to: Path = Path("partimento-demo"), minutes: float | None = None, sample: WholeOrNone = None) -> None:
    """Compose with the model that comes along, then train one on the Bach chorales of music21, and compose with that.

    Args:
        to: The folder to write. A second call goes on with what is there, or composes more with it.
        minutes: The time that training may take; 1.5 if not given.
        sample: Learn from a random subset of this many chorales.
    """
    with needs_training("The demo", "demo"):
        from partimento.demo import MINUTES, compose_at_once
        from partimento.demo import demo as show
    with watching() as watch:
        at_once = compose_at_once(to / "at-once", watch=watch)
    if at_once:
        say("New music by the model that comes along:")
    for midi, _ in at_once:
        say(f"  listen: {midi.with_suffix('.wav')}   look: {midi.with_suffix('.png')}")
    say("Now a model of our own learns from the Bach chorales.")
    with watching() as watch:
        shown = show(to, minutes=MINUTES if minutes is None else minutes, sample=sample, watch=watch)
    say("")
    say(f"New music in the style of the chorales, {len(shown.pieces)} pieces, in {shown.music}:")
    for piece in shown.pieces:
        say(f"  listen: {piece.midi.with_suffix('.wav')}   look: {piece.midi.with_suffix('.png')}")
    say(f"How it learnt: {shown.run / 'curves.png'}; the model: {shown.run / 'bundle'}.")
    say(f"Now with your own music: {called()} train FOLDER --to RUN")


def called() -> str:
    """How this program is called from where one is: by its name where that is found, else by its path."""
    return "partimento" if shutil.which("partimento") else shlex.quote(sys.argv[0])
