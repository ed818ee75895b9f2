"""A job in a process of its own: its result, its sentence, or what became of it; never the caller's end."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from partimento.alone import Broken, alone
from partimento.errors import InvalidSettings
from partimento.progress import Progress, Watch


def job(how: str, tell: Watch) -> Any:
    nothing: list[Any] = []
    for step in range(3):
        tell(Progress("Working", step + 1, 3, "steps", remark=f"step {step + 1}", heard=lambda: nothing))
    sys.stdout.write("this goes into the log\n")
    match how:
        case "refuse":
            raise InvalidSettings("That cannot be.")
        case "err":
            raise ValueError("a fault of ours")
        case "fill":
            raise OSError(errno.ENOSPC, "No space left on device", "a place")
        case "grow":
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 40000000000000 bytes")
        case "starve":
            os.kill(os.getpid(), signal.SIGKILL)
        case "crash":
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGSEGV)
        case "leave":
            os._exit(3)
        case "hang":
            time.sleep(600)
    return {"how": how, "pid": os.getpid()}


def test_a_job_comes_back_with_its_result(tmp_path: Path) -> None:
    events: list[Progress] = []
    result = alone(job, "well", seconds=60, log=tmp_path / "log.txt", watch=events.append)
    assert result["how"] == "well"
    assert result["pid"] != os.getpid()
    assert [event.remark for event in events] == ["step 1", "step 2", "step 3"]
    assert (tmp_path / "log.txt").read_text().strip() == "this goes into the log"


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("refuse", r"^That cannot be\.$"),
        ("err", r"ValueError: a fault of ours.*log\.txt"),
        ("fill", r"^a place: No space left on device\. Look"),
        ("grow", r"^It needs more memory than there is"),
        ("starve", r"SIGKILL.*memory"),
        ("crash", r"crashed \(SIGSEGV\)"),
        ("leave", r"exit code 3"),
    ],
)
def test_what_goes_wrong_is_said(how: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(Broken, match=said):
        alone(job, how, seconds=60, log=tmp_path / "log.txt")
    if how == "err":
        assert "Traceback" in (tmp_path / "log.txt").read_text()


def test_a_job_that_hangs_is_ended(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(Broken, match="hung"):
        alone(job, "hang", seconds=4, log=tmp_path / "log.txt")
    assert time.monotonic() - began < 30


def save_when_stopped(place: str, tell: Watch) -> None:
    def save(*_: Any) -> None:
        Path(place).write_text("saved")
        sys.exit(0)

    signal.signal(signal.SIGTERM, save)
    Path(place).with_name("pid").write_text(str(os.getpid()))
    tell(Progress("Working", 0, 1, "steps", remark="begun"))
    time.sleep(600)


def begun(tmp_path: Path) -> subprocess.Popen[bytes]:
    """A caller whose job has begun."""
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from pathlib import Path\n"
        "from partimento.alone import alone\n"
        "from test_alone import save_when_stopped\n"
        "if __name__ == '__main__':\n"
        f"    place = Path({str(tmp_path)!r})\n"
        "    alone(save_when_stopped, str(place / 'saved'), seconds=100, log=place / 'log.txt',\n"
        "          watch=lambda event: print(event.remark, flush=True))\n"
    )
    (tmp_path / "program.py").write_text(program)
    caller = subprocess.Popen([sys.executable, tmp_path / "program.py"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert caller.stdout is not None
    assert caller.stdout.readline() == b"begun\n"
    return caller


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal to send")
def test_ctrl_c_lets_the_job_save_where_it_was(tmp_path: Path) -> None:
    caller = begun(tmp_path)
    caller.send_signal(signal.SIGINT)
    _, said = caller.communicate(timeout=60)
    assert b"KeyboardInterrupt" in said
    assert (tmp_path / "saved").read_text() == "saved"


@pytest.mark.skipif(sys.platform == "win32", reason="nobody says there that a caller is gone")
def test_a_job_whose_caller_is_killed_ends(tmp_path: Path) -> None:
    caller = begun(tmp_path)
    job = int((tmp_path / "pid").read_text())
    caller.kill()
    caller.communicate(timeout=60)
    began = time.monotonic()
    while _lives(job):
        assert time.monotonic() - began < 60
        time.sleep(0.1)
    assert not (tmp_path / "saved").exists()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
