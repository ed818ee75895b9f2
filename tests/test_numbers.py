"""Whole numbers on the command line: what is none is refused by every flag of every command that takes one."""

from __future__ import annotations

import pytest

from partimento.cli import app

FLAGS = [
    *(("compose", flag) for flag in ("-n", "--seed", "--bars", "--notes", "--top-k", "--best", "--prompt-bars")),
    ("compose", "--prompt-notes"),
    *((command, flag) for command in ("fill x", "vary x", "accompany x", "harmonise x") for flag in ("-n", "--seed")),
    ("harmonise x", "--track"),
    *(("audition x", flag) for flag in ("-n", "--seed", "--bars", "--notes")),
    *(("compare x", flag) for flag in ("--sample", "--seed", "--bars", "--pieces")),
    ("evaluate x", "--seed"),
    *(("inspect x", flag) for flag in ("--sample", "--seed")),
    *(("interpolate x y", flag) for flag in ("--steps", "--bars", "--seed")),
    ("train x", "--sample"),
    ("demo", "--sample"),
]


NEEDED = {"evaluate": ("--like", "z"), "inspect": (), "demo": (), "interpolate": ("--to", "z", "--model", "z")}


@pytest.mark.parametrize(("command", "flag"), FLAGS)
@pytest.mark.parametrize("value", ["1.5", "2.0", "one", "0x10"])
def test_what_is_no_whole_number_is_refused(
    command: str, flag: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        app([*command.split(), flag, value, *NEEDED.get(command.split()[0], ("--to", "z"))])
    assert ended.value.code != 0
    said = capsys.readouterr()
    assert f"{value} is not a whole number" in " ".join((said.out + said.err).split())
