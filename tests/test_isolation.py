"""One item's crash, hang or hunger costs that item only."""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partimento import isolation
from partimento.errors import Unreadable
from partimento.isolation import isolated

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and memory limits are POSIX")
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and enforces memory limits")

spoilt = False


@pytest.fixture(params=["fork", "spawn"])
def start(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of starting a worker."""
    way: str = request.param
    if way == "fork" and not isolation._forks():
        pytest.skip("this process has threads, so that it may not be forked")
    monkeypatch.setattr(isolation, "_forks", lambda: way == "fork")
    return way


def double(x: int) -> int:
    return 2 * x


def length(data: bytes) -> bytes:
    return data + data


def misbehave(how: str) -> object:
    """Do what a file's parser might do at its worst."""
    global spoilt
    if how == "crash":
        ctypes.string_at(0)
    elif how == "hang":
        while True:
            pass
    elif how == "hang in C":
        ctypes.CDLL(None).pause() if sys.platform == "linux" else time.sleep(3600)
    elif how == "devour":
        return len(bytearray(2**40))
    elif how == "devour slowly":
        return [bytearray(2**26) for _ in range(10**6)]
    elif how == "exit":
        ctypes.CDLL(None).exit(0)
    elif how == "abort":
        os.abort()
    elif how == "refuse":
        raise Unreadable("It holds no notes.", "Leave it out.")
    elif how == "bug":
        raise ZeroDivisionError("division by zero")
    elif how == "sys.exit":
        sys.exit("nobody hears this")
    elif how == "no pickle":
        return lambda: None
    elif how == "spoil":
        spoilt = True
    elif how == "crash where spoilt" and spoilt:
        os.abort()
    print("noise on stdout")  # noqa: T201
    print("noise on stderr", file=sys.stderr)  # noqa: T201
    os.write(1, b"noise on the descriptor")
    return how


FATES = {
    "crash": "crashes",
    "abort": "crashes",
    "exit": "crashes",
    "hang": "longer than 0.5 seconds",
    "hang in C": "longer than 0.5 seconds",
    "devour": "more than 512 MB",
    "devour slowly": "more than 512 MB",
    "refuse": "no notes",
    "bug": "ZeroDivisionError: division by zero",
    "sys.exit": "SystemExit",
    "no pickle": "internal error",
}


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(), max_size=200), st.integers(1, 3))
def test_is_map_in_order(numbers: list[int], workers: int) -> None:
    assert list(isolated(double, numbers, workers=workers)) == [(x, 2 * x) for x in numbers]


@pytest.mark.usefixtures("start")
def test_is_map_in_order_however_workers_start() -> None:
    assert list(isolated(double, range(1000))) == [(x, 2 * x) for x in range(1000)]
    assert list(isolated(double, [])) == []


@linux
@pytest.mark.parametrize("how", FATES)
def test_a_bad_item_costs_only_itself(how: str, capfd: pytest.CaptureFixture[str]) -> None:
    items = ["good", "good", how, "good", *["good"] * 30, how, "good"]
    seconds = 0.5 if "hang" in how else 20.0
    results = list(isolated(misbehave, items, workers=2, seconds=seconds, megabytes=512))
    assert [item for item, _ in results] == items
    for item, result in results:
        if item == "good":
            assert result == "good"
        else:
            assert isinstance(result, Unreadable)
            assert FATES[how] in result.reason
            assert result.advice
    assert capfd.readouterr() == ("", "")


@linux
def test_bad_items_cost_only_themselves_in_fresh_interpreters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "_forks", lambda: False)
    items = ["good", "crash", "hang", "devour", "refuse", "good"]
    results = dict(isolated(misbehave, items, workers=2, seconds=0.5, megabytes=512))
    assert results.pop("good") == "good"
    assert all(FATES[how] in getattr(result, "reason", "") for how, result in results.items())


@linux
def test_a_worker_spoilt_by_another_item_is_not_held_against_an_item() -> None:
    results = dict(isolated(misbehave, ["spoil", "crash where spoilt", "good"], workers=1))
    assert results == {"spoil": "spoil", "crash where spoilt": "crash where spoilt", "good": "good"}


@pytest.mark.usefixtures("start")
def test_large_items_and_results_pass_both_ways() -> None:
    items = [os.urandom(3_000_000), b"small", os.urandom(1_000_000), *[b"x" * 3000] * 40]
    assert all(result == item + item for item, result in isolated(length, items, workers=2))


def test_items_are_taken_lazily_and_results_held_boundedly() -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    results = isolated(double, endless(), workers=2)
    assert taken == 0
    assert [result for _, result in itertools.islice(results, 10_000)] == list(range(2, 20_001, 2))
    assert taken <= 10_000 + 2 * isolation.AHEAD
    results.close()


def test_an_error_of_the_items_reaches_the_caller() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise PermissionError("a folder that may not be read")

    with pytest.raises(PermissionError, match="a folder"):
        list(isolated(double, items()))


def test_a_caller_with_threads_is_served_too() -> None:
    leave = threading.Event()
    thread = threading.Thread(target=leave.wait)
    thread.start()
    try:
        assert not isolation._forks()
        assert dict(isolated(double, [1, 2])) == {1: 2, 2: 4}
    finally:
        leave.set()
        thread.join()


def test_a_slow_caller_is_not_held_against_an_item() -> None:
    for item, result in isolated(double, range(40), workers=1, seconds=0.3):
        if item == 1:
            time.sleep(0.5)
        assert result == 2 * item


def test_workers_that_cannot_start_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "_forks", lambda: False)
    with pytest.raises(RuntimeError, match="could not be started"):
        list(isolated(_not_importable(), [1]))


def _not_importable() -> Callable[[int], int]:
    def function(x: int) -> int:
        return x

    function.__qualname__ = "nowhere_to_be_found"
    function.__module__ = "partimento.isolation"
    isolation.nowhere_to_be_found = function  # type: ignore[attr-defined]
    return function


def children(of: int) -> list[int]:
    """The living processes whose parent is `of`."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == of and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


@linux
def test_nothing_is_left_behind(start: str) -> None:
    before = set(children(os.getpid()))
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    results = isolated(double, itertools.count(), workers=2)
    next(results)
    assert set(children(os.getpid())) > before
    results.close()
    assert set(children(os.getpid())) <= before
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


SCRIPT = """
    import itertools, os, sys, time
    from partimento import isolation
    def _children():
        from pathlib import Path
        stats = [p.read_text().rpartition(")")[2].split() + [p.parent.name] for p in Path("/proc").glob("[0-9]*/stat")]
        return [s[-1] for s in stats if s[1] == str(os.getpid())]
    isolation._forks = lambda: {fork}
    isolation.GRACE = 0.5
    results = isolation.isolated({function}, itertools.repeat({item}), workers=2, seconds=1)
    next(results, None) if {fetch} else None
    print(*_children(), flush=True)
    {then}
"""


def script(**parts: object) -> subprocess.Popen[str]:
    program = textwrap.dedent(SCRIPT).format(**parts)
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@linux
def test_workers_do_not_outlive_a_caller_that_is_killed(start: str) -> None:
    caller = script(fork=start == "fork", function="time.sleep", item=0.001, fetch=True, then="time.sleep(60)")
    assert caller.stdout
    workers = [int(pid) for pid in caller.stdout.readline().split()]
    assert workers
    assert all(map(alive, workers))
    caller.kill()
    caller.communicate()
    assert eventually(lambda: not any(map(alive, workers)))


@linux
def test_a_worker_hung_when_its_caller_is_killed_ends_itself() -> None:
    program = textwrap.dedent(
        """
        import itertools, os, threading, time
        from partimento import isolation
        isolation.GRACE = 0.5
        isolation._forks = lambda: True
        threading.Timer(0.5, lambda: os.kill(os.getpid(), 9)).start()
        next(isolation.isolated(time.sleep, [3600.0], workers=1, seconds=1))
        """
    )
    started = time.monotonic()
    caller = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert eventually(lambda: bool(children(caller.pid)) or caller.poll() is not None)
    workers = children(caller.pid)
    caller.communicate()
    assert workers
    assert eventually(lambda: not any(map(alive, workers)))
    assert time.monotonic() - started < 10


@linux
def test_ctrl_c_ends_all_quietly(start: str) -> None:
    caller = script(fork=start == "fork", function="time.sleep", item=0.2, fetch=True, then="list(results)")
    assert caller.stdout
    workers = [int(pid) for pid in caller.stdout.readline().split()]
    assert workers
    os.killpg(caller.pid, signal.SIGINT)
    _, complaint = caller.communicate(timeout=10)
    assert complaint.count("Traceback") == 1
    assert complaint.rstrip().endswith("KeyboardInterrupt")
    assert eventually(lambda: not any(map(alive, workers)))
