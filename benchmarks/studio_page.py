"""How fast the studio's page is: first paint, weight, frames while a roll of 10,000 notes scrolls, twenty who compose.

    python benchmarks/studio_page.py [--clients 20] [--bars 4]

Starts a studio of its own and a Chromium without a window, as `make test-studio` does (playwright is needed beside,
and `chromium`). Frames are those of the browser's own clock while the roll is scrolled by as much as a wheel does in
each of them. The clients ask for a piece each at the same moment; told are how long the last waits, and how long the
page's own requests take meanwhile.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from partimento.files import to_bytes
from partimento.score import Note, Score, Track

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from visitor import Serving, serving

NOTES, TRACKS = 10_000, 4
SCROLL = """
async () => {
    const roll = document.querySelector(".roll");
    const times = [];
    for (let frame = 0; frame < 300; frame += 1) {
        times.push(await new Promise(requestAnimationFrame));
        const deltaX = frame < 150 ? 60 : -60;
        roll.dispatchEvent(new WheelEvent("wheel", { deltaX, bubbles: true, cancelable: true }));
    }
    return times;
}
"""


def long_piece() -> bytes:
    """A piece of so many notes."""
    rng, score = np.random.default_rng(0), Score(480)
    for number in range(TRACKS):
        track = Track(f"Track {number + 1}", 8 * number)
        onsets = np.sort(rng.integers(0, 4 * 400 * 4, NOTES // TRACKS)) * 120
        track.notes.extend(
            Note(int(onset), int(rng.integers(1, 9)) * 120, int(rng.integers(40, 90)), int(rng.integers(30, 120)))
            for onset in onsets
        )
        score.tracks.append(track)
    return to_bytes(score)


def painted(page: Page, address: str) -> tuple[float, int]:
    """Milliseconds until something is painted, and bytes of all that came, of every route."""
    weights: list[int] = []
    page.on("response", lambda answer: weights.append(int(answer.headers.get("content-length", 0))))
    page.goto(address)
    page.wait_for_selector("h1")
    first: float = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    for route in ("corpus", "train", "compose", "report", "score"):
        page.goto(f"{address}#/{route}")
        page.wait_for_timeout(500)
    return first, sum(weights)


def crowded(studio: Serving, clients: int, bars: int) -> tuple[float, list[float], int]:
    """Seconds until all have their piece, those of the page's requests meanwhile, and how many failed."""
    visitors = [studio.visitor(f"client {number}") for number in range(clients)]
    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        jobs = list(threads.map(lambda one: one.post("jobs/compose", {"bars": bars}), visitors))
    asked: list[float] = []
    states: list[str] = []
    while len(states) < clients:
        before = time.perf_counter()
        listed = {job["id"]: job["state"] for job in visitors[0].get("jobs")}
        asked.append(time.perf_counter() - before)
        states = [listed[job["id"]] for job in jobs if listed[job["id"]] in ("done", "failed")]
        time.sleep(0.05)
    return time.perf_counter() - began, asked, states.count("failed")


def main() -> None:
    """Print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--bars", type=int, default=4)
    chosen = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "kept") as studio:
        address = f"http://127.0.0.1:{studio.port}/"
        seconds, asked, failed = crowded(studio, chosen.clients, chosen.bars)
        print(f"{chosen.clients} clients, a piece of {chosen.bars} bars each: {seconds:.1f} s, {failed} failed")
        slowest = sorted(asked)[int(0.95 * len(asked))]
        print(f"a request meanwhile: median {1e3 * statistics.median(asked):.0f} ms, 95 % under {1e3 * slowest:.0f} ms")
        piece = studio.visitor().upload("pieces", "long.mid", long_piece())
        with sync_playwright() as started:
            browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            first, weight = painted(page, address)
            print(f"first paint after {first:.0f} ms; {weight / 1e3:.0f} kB for every page, the SoundFont not counted")
            page.goto(f"{address}#/compose?piece={piece['id']}")
            page.wait_for_selector(".roll")
            page.wait_for_timeout(1500)
            frames = np.diff(page.evaluate(SCROLL))
            print(
                f"scrolling {NOTES:,} notes: {1e3 / frames.mean():.1f} frames/s, "
                f"95 % of frames under {np.quantile(frames, 0.95):.1f} ms"
            )
            browser.close()


if __name__ == "__main__":
    main()
