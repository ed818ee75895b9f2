"""The tutorials' side of the benchmark: the classic Keras LSTM recipe, written anew from its structure.

The recipe is Sigurður Skúli Sigurgeirsson's "How to Generate Music using a LSTM Neural Network in Keras" (2017, revised
2019; github.com/Skuldur/Classical-Piano-Composer), on which most later tutorials rest: music21 reads the files, the
first instrument's notes and chords become strings, windows of 100 predict the string that follows, the id divided by
the vocabulary's size is the whole input, three LSTMs of 512 and two dense layers are trained by RMSprop, and composing
calls `model.predict` once a note. Both versions are here: "2017" (dropout between the layers, batch 64) and "2019"
(dropout inside the recurrences, batch normalisation, batch 128).

This file runs in an environment of its own (`requirements-keras.txt`) and imports nothing of Partimento: `classic.py`
calls it. Beyond the tutorial it does four things: it reads the songs' split from a file, it measures the held-out loss
after each epoch, it stops by itself, and it can be stopped and run again. What it measures goes to JSON files.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np

WINDOW = 100


class Clock:
    """Wall seconds, and the seconds of processor time that all threads of this process used."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        """Seconds since this clock was made."""
        return {
            "wall": round(time.perf_counter() - self.wall, 3),
            "cpu": round(time.process_time() - self.cpu, 3),
        }


def peak_mib() -> float:
    """The most memory that this process has held, in MiB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def write(path: Path, value: Any) -> None:
    """Write JSON so that a reader never sees half of it."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, indent=1), encoding="utf-8")
    part.replace(path)


def tokens_of(path: Path) -> list[str]:
    """The strings of one song: a pitch's name, or a chord's normal order joined by full stops.

    The tutorial takes the first instrument. Today's music21 makes one of each track's name, without notes, and 20 of
    the 92 songs would come out empty; so the first instrument that plays anything is taken.
    """
    from music21 import chord, converter, instrument, note

    score = converter.parse(str(path))
    parted = instrument.partitionByInstrument(score)
    parts = [list(part.recurse().notes) for part in parted.parts] if parted else []
    elements = next((part for part in parts if part), None) or score.flatten().notes
    found = []
    for element in elements:
        if isinstance(element, note.Note):
            found.append(str(element.pitch))
        elif isinstance(element, chord.Chord):
            found.append(".".join(str(pitch_class) for pitch_class in element.normalOrder))
    return found


def parse(folder: Path, to: Path) -> None:
    """Read every song of a folder as the tutorial does, one after another."""
    clock = Clock()
    songs = []
    for path in sorted(folder.rglob("*.mid")):
        tokens = tokens_of(path)
        songs.append({"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "tokens": tokens})
    write(to, {"songs": songs, **clock.read(), "peak_mib": peak_mib()})


def stopwatch() -> Any:
    """A Keras callback whose `spent` is the time from the first batch's beginning to the last batch's end.

    `fit` itself returns up to a minute later: tf.data's thread sleeps before it lets its pipeline go. No processor
    time goes there, and the tutorial is not charged for it.
    """
    import keras

    class Stopwatch(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras calls it so
            self.clock = Clock()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras calls it so
            self.spent = self.clock.read()

    return Stopwatch()


class Data:
    """The songs as the tutorial's arrays.

    Attributes:
        inputs: (N, 100, 1) float, ids of all windows of the training songs, one after another, over the vocabulary's
            size; windows run on from one song into the next, as the tutorial's do.
        outputs: (N, V) one-hot, what follows each window.
        held_inputs, held_outputs: the same of the songs held out, each window within its song.
        test_inputs, test_outputs: the same of the test songs.
    """

    def __init__(self, path: Path) -> None:
        import keras

        told = json.loads(path.read_text(encoding="utf-8"))
        number = {name: i for i, name in enumerate(told["vocabulary"])}
        self.vocabulary = len(number)
        songs = {
            split: [[number[t] for t in song["tokens"]] for song in told["songs"] if song["split"] == split]
            for split in ("train", "valid", "test")
        }
        self.one_line = [id for song in songs["train"] for id in song]
        inputs, outputs = self._windows([self.one_line])
        self.inputs, self.outputs = inputs, keras.utils.to_categorical(outputs, self.vocabulary)
        inputs, outputs = self._windows(songs["valid"])
        self.held_inputs, self.held_outputs = inputs, keras.utils.to_categorical(outputs, self.vocabulary)
        inputs, outputs = self._windows(songs["test"])
        self.test_inputs, self.test_outputs = inputs, keras.utils.to_categorical(outputs, self.vocabulary)

    def _windows(self, songs: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
        inputs, outputs = [], []
        for song in songs:
            for i in range(len(song) - WINDOW):
                inputs.append(song[i : i + WINDOW])
                outputs.append(song[i + WINDOW])
        return np.reshape(inputs, (len(inputs), WINDOW, 1)) / float(self.vocabulary), np.asarray(outputs)


BATCH = {"2017": 64, "2019": 128}


def network(recipe: str, vocabulary: int) -> Any:
    """The tutorial's network, compiled."""
    import keras
    from keras import layers

    inside, between, normed = (0.0, 0.3, False) if recipe == "2017" else (0.3, 0.0, True)
    stack: list[Any] = [keras.Input((WINDOW, 1))]
    for _ in range(2):
        stack.append(layers.LSTM(512, return_sequences=True, recurrent_dropout=inside))
        if between:
            stack.append(layers.Dropout(between))
    stack.append(layers.LSTM(512))
    if normed:
        stack += [layers.BatchNormalization(), layers.Dropout(0.3)]
    stack.append(layers.Dense(256))
    if normed:
        stack += [layers.Activation("relu"), layers.BatchNormalization()]
    stack += [layers.Dropout(0.3), layers.Dense(vocabulary), layers.Activation("softmax")]
    model = keras.Sequential(stack)
    model.compile(loss="categorical_crossentropy", optimizer="rmsprop")
    return model


def train(data_path: Path, recipe: str, work: Path, patience: int, budget: float, epochs: int) -> None:
    """Train as the tutorial does, until the held-out loss stands still or the processor time is spent.

    Each epoch ends with a checkpoint (weights and optimiser) and a row in `keras-RECIPE.json`; run again, it goes on
    from there. `budget` is in seconds of processor time spent training, evaluation left out; an epoch that would not
    end within it is not begun.
    """
    clock = Clock()
    import keras

    data = Data(data_path)
    report, checkpoint = work / f"keras-{recipe}.json", work / f"keras-{recipe}.keras"
    if report.exists():
        told = json.loads(report.read_text(encoding="utf-8"))
        model = keras.models.load_model(checkpoint.with_name(f"keras-{recipe}-{len(told['epochs'])}.keras"))
    else:
        model = network(recipe, data.vocabulary)
        told = {
            "recipe": recipe,
            "batch": BATCH[recipe],
            "windows": len(data.inputs),
            "held_out_windows": len(data.held_inputs),
            "parameters": int(model.count_params()),
            "setup": clock.read(),
            "epochs": [],
            "stopped": None,
        }
    rows = told["epochs"]
    while (stopped := ended(rows, patience, budget, epochs)) is None:
        epoch = len(rows) + 1
        keras.utils.set_random_seed(epoch)
        watch = stopwatch()
        seen = model.fit(data.inputs, data.outputs, batch_size=BATCH[recipe], epochs=1, verbose=2, callbacks=[watch])
        clock = Clock()
        held_out = float(model.evaluate(data.held_inputs, data.held_outputs, batch_size=256, verbose=0))
        row = {
            "epoch": epoch,
            "loss": seen.history["loss"][0],
            "held_out": held_out,
            **watch.spent,
            "evaluate": clock.read(),
        }
        rows.append({**row, "peak_mib": peak_mib()})
        model.save(checkpoint.with_name(f"keras-{recipe}-{epoch}.keras"))
        write(report, told)
        for old in range(1, epoch):
            if old != best(rows) + 1:
                checkpoint.with_name(f"keras-{recipe}-{old}.keras").unlink(missing_ok=True)
        print(f"epoch {epoch}: {rows[-1]}", flush=True)
    told["stopped"] = stopped
    write(report, told)


def best(rows: list[dict[str, float]]) -> int:
    """The place of the epoch with the least held-out loss."""
    return min(range(len(rows)), key=lambda i: rows[i]["held_out"])


def ended(rows: list[dict[str, float]], patience: int, budget: float, epochs: int) -> str | None:
    """Why there is no further epoch; None where there is one."""
    if rows and len(rows) - 1 - best(rows) >= patience:
        return f"patience {patience}"
    if rows and sum(row["cpu"] for row in rows) + max(row["cpu"] for row in rows) > budget:
        return f"{budget:.0f} seconds of processor time"
    return f"{epochs} epochs" if len(rows) >= epochs else None


def test(data_path: Path, recipe: str, to: Path) -> None:
    """Measure, on the test songs, the epoch that was best on the held-out ones; its checkpoint lies beside `to`."""
    import keras

    data = Data(data_path)
    epoch = 1 + best(json.loads((to.parent / f"keras-{recipe}.json").read_text(encoding="utf-8"))["epochs"])
    model = keras.models.load_model(to.parent / f"keras-{recipe}-{epoch}.keras")
    loss = float(model.evaluate(data.test_inputs, data.test_outputs, batch_size=256, verbose=0))
    write(to, {"epoch": epoch, "loss": loss, "windows": len(data.test_inputs)})


def batches(data_path: Path, recipe: str, to: Path, count: int) -> None:
    """Time `count` batches of training, after a few that warm up."""
    data, size = Data(data_path), BATCH[recipe]
    model = network(recipe, data.vocabulary)
    model.fit(data.inputs[: 3 * size], data.outputs[: 3 * size], batch_size=size, epochs=1, verbose=0)
    watch, some = stopwatch(), slice(count * size)
    model.fit(data.inputs[some], data.outputs[some], batch_size=size, epochs=1, verbose=0, callbacks=[watch])
    write(to, {"recipe": recipe, "batches": count, "batch": size, **watch.spent, "peak_mib": peak_mib()})


def compose(data_path: Path, recipe: str, to: Path, notes: int) -> None:
    """Compose greedily, one `model.predict` a note, as the tutorial does; the time is of that loop alone."""
    data = Data(data_path)
    model = network(recipe, data.vocabulary)
    start = int(np.random.default_rng(0).integers(0, len(data.one_line) - WINDOW - 1))
    pattern = data.one_line[start : start + WINDOW]
    model.predict(np.reshape(pattern, (1, WINDOW, 1)) / float(data.vocabulary), verbose=0)  # compiles the graph
    clock = Clock()
    for _ in range(notes):
        given = np.reshape(pattern, (1, WINDOW, 1)) / float(data.vocabulary)
        pattern = [*pattern[1:], int(np.argmax(model.predict(given, verbose=0)))]
    spent = clock.read()
    write(to, {"recipe": recipe, "notes": notes, **spent, "peak_mib": peak_mib()})


def main() -> None:
    """Run the part of the tutorials' side that the command line names."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("parse", "train", "test", "batches", "compose"):
        command = commands.add_parser(name)
        command.add_argument("source", type=Path, help="the songs' folder (parse), or the tokens and split as JSON")
        command.add_argument("to", type=Path, help="the JSON file to write, or for train the folder")
        command.add_argument("--recipe", choices=sorted(BATCH), default="2017")
        command.add_argument("--count", type=int, default=500, help="batches, or notes")
        command.add_argument("--patience", type=int, default=3)
        command.add_argument("--budget", type=float, default=7200.0)
        command.add_argument("--epochs", type=int, default=200)
    told = parser.parse_args()
    if told.command == "parse":
        parse(told.source, told.to)
    elif told.command == "train":
        train(told.source, told.recipe, told.to, told.patience, told.budget, told.epochs)
    elif told.command == "test":
        test(told.source, told.recipe, told.to)
    elif told.command == "batches":
        batches(told.source, told.recipe, told.to, told.count)
    else:
        compose(told.source, told.recipe, told.to, told.count)


if __name__ == "__main__":
    main()
