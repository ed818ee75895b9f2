"""The command line: one file a command, and no logic in any of them.

Commands are imported when they are called (cyclopts' lazy loading), so that `partimento --help` answers at once. What
a user can mend is printed as a sentence, without a traceback, and the exit status is 1; a wrong flag exits with 2.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import version

from cyclopts import App

from partimento.errors import PartimentoError

app = App(
    name="partimento",
    help="Teach a machine your music: train on a folder of MIDI, compose new pieces in its style.",
    version=lambda: version("partimento"),
)
for name, summary in {
    "inspect": "Read a folder of music: what serves, what does not and why, and what is in it.",
    "train": "Learn from a folder of music, in the minutes that you give it.",
    "compose": "Compose new music with a trained model.",
    "audition": "Hear how a run learnt: compose from each of its checkpoints with one seed.",
    "show": "Show what a model is made of: layers, shapes, parameters, facts.",
    "compare": "Train every system on the same music, and set what they make side by side.",
    "evaluate": "Judge pieces of music: how good beside human music, and how new.",
    "interpolate": "Go from one piece to another through those that a model knows between them.",
    "render": "Make a picture or a sound of a piece.",
    "recipes": "List the recipes that `train` knows.",
    "demo": "Train on the Bach chorales and compose, in three minutes.",
}.items():
    app.command(f"partimento.cli.{name}:{name}", name=name, help=summary)


def main() -> None:
    """Run the command line; what `partimento` on the shell calls."""
    try:
        app()
    except PartimentoError as error:
        sys.stderr.write(f"partimento: {error}\n")
        sys.exit(1)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(141)
        where = f"{error.filename}: " if error.filename else ""
        advice = "Look whether the place is there, may be written to and has room."
        sys.stderr.write(f"partimento: {where}{error.strerror or error}. {advice}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("partimento: stopped.\n")
        sys.exit(130)
