"""The command line: one file a command, and no logic in any of them.

Commands are imported when they are called (cyclopts' lazy loading), so that `partimento --help` answers at once. What
a user can mend is printed as a sentence, without a traceback, and the exit status is 1; a wrong flag exits with 2.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import version

from cyclopts import App

from partimento.errors import explained

app = App(
    name="partimento",
    help="Teach a machine your music: train on a folder of MIDI, compose new pieces in its style.",
    version=lambda: version("partimento"),
    suppress_keyboard_interrupt=False,  # `main` says that it stopped
)
for name, summary in {
    "inspect": "Read a folder of music: what serves, what does not and why, and what is in it.",
    "train": "Learn from a folder of music, in the minutes that you give it.",
    "compose": "Compose new music with a trained model.",
    "fill": "Write some bars or tracks of a piece anew, from what stands around them.",
    "accompany": "Write new tracks beside those of a piece.",
    "harmonise": "Write what goes with a melody.",
    "vary": "Write some of a piece anew, here and there.",
    "audition": "Hear how a run learnt: compose from each of its checkpoints with one seed.",
    "shrink": "Keep a model's weights in fewer bits: smaller and faster, and the cost is measured.",
    "show": "Show what a model is made of: layers, shapes, parameters, facts.",
    "compare": "Train every system on the same music, and set what they make side by side.",
    "evaluate": "Judge pieces of music: how good beside human music, and how new.",
    "interpolate": "Go from one piece to another through those that a model knows between them.",
    "render": "Make a picture or a sound of a piece.",
    "recipes": "List the recipes that `train` knows.",
    "studio": "Train, compose and edit in the browser, on this machine.",
    "demo": "Train on the Bach chorales and compose, in three minutes.",
}.items():
    app.command(f"partimento.cli.{name}:{name}", name=name, help=summary)


def main() -> None:
    """Run the command line; what `partimento` on the shell calls."""
    try:
        app()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except KeyboardInterrupt:
        sys.stderr.write("partimento: stopped.\n")
        sys.exit(130)
    except Exception as error:
        sentence = explained(error)
        if sentence is None:
            raise
        sys.stderr.write(f"partimento: {sentence}\n")
        sys.exit(1)
