"""Windows: the batches that training draws from encoded pieces; numpy alone.

A batch is a pure function of `(seed, update)`: a run that is killed and resumed draws what one never stopped would have
drawn.

The classic tutorials (Skúli 2017, "How to generate music using a LSTM neural network in Keras") cut *every* overlapping
window of L ids and predict from each the one id after it: L inputs are read for each id that is learnt, and every id is
learnt once an epoch. Here windows do not overlap and *every* position of a window is predicted, from all that stands
before it in the window: the same ids are learnt, once an epoch, for one input read each, which is 1/L of the work. What
differs is the context: a position sees 0 to L-1 ids rather than always L, about L/2 on average; as the windows begin
elsewhere in each epoch, each position meets every length of context in turn, and L can be larger for the same work.

Grids are cut in the same way, every frame predicted; models that see a phrase as a whole (an RBM, a VAE, a GAN) get
windows that are all of one length and begin with a bar, or whatever `align` says. The classic RBM tutorial (Shiebler
2016) cuts its 128-step windows end to end from each song's beginning; here the beginning moves from epoch to epoch.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from partimento.codec import Retells, TokenSpec
from partimento.pieces import Ids, Pieces

POOL = 16  # updates between whose batches windows are sorted by length; more of them saves padding, fewer mix better
LEAST_ROOM = 1 << 15  # held-out positions looked at together; recurrent networks are quicker with many pieces abreast
LEAST_FULL = 0.5  # share of a phrase that must be music where the piece has others

Mask = NDArray[np.bool_]


class Drawn(NamedTuple):
    """Windows in numpy; see `model.Batch` for what the parts mean."""

    x: NDArray[Any]
    mask: Mask
    begin: Ids
    weight: NDArray[np.float32] | None


class Windows:
    """Batches of windows over pieces.

    Args:
        pieces: what to draw from.
        length: rows predicted in one window; what a model learns to remember is at most this far apart. Whole groups,
            where ids come in groups.
        batch: windows of that length trained on at once; more where they are shorter, so that each update weighs alike.
        seed: with it, and the number of the update, all is decided.
        weights: (P,) how often each piece occurs in an epoch, on average; once if None.
        align: windows are phrases: all of this `length`, beginning at multiples of so many rows, filled up at the end
            (with silence, mask False). None cuts anywhere and fills nothing up but batches.
        importance: (V,) how much each id counts in the loss where it is predicted; None for all alike.
        retold: tells a part of a piece otherwise, and in which share of the windows; None for none. Such a window has
            `bos` before it and, where there is room, `eos` after it; what is given in it is not predicted.
        beside: other windows, and in which share of the updates theirs come in place of these.
    """

    def __init__(
        self,
        pieces: Pieces,
        length: int,
        batch: int,
        seed: int = 0,
        weights: NDArray[np.floating[Any]] | None = None,
        *,
        align: int | None = None,
        importance: NDArray[np.float32] | None = None,
        retold: tuple[Retells, float] | None = None,
        beside: tuple[Windows, float] | None = None,
    ) -> None:
        self.pieces = pieces
        self.grain = pieces.spec.group if isinstance(pieces.spec, TokenSpec) else 1  # windows never cut a group
        self.length = self._whole(length)
        self.batch = batch
        self.seed = seed
        self.weights = np.ones(len(pieces)) if weights is None else np.asarray(weights, dtype=np.float64)
        self.align = align
        self.importance = importance
        self.retold = retold
        self.beside = beside
        expected = float((self.weights * pieces.targets).sum())
        self.updates_per_epoch = max(1, int(expected) // (self.length * batch))
        self._plan = functools.lru_cache(maxsize=2)(self._plan_epoch)

    def at(self, update: int) -> Drawn:
        """The batch of one update, numbered from 0.

        An epoch is `updates_per_epoch` updates; in it every position of every piece is predicted once (or by its
        weight), but for the updates that hear what is beside. An update for which chance has left nothing, since
        pieces came less often than was to be expected, hears a window again. A piece longer than a window is cut at a
        random place anew in each epoch; a shorter one is never cut. Windows of like length come together, so that
        little is filled up. Of phrases, the beginning of a piece before its first phrase and an end that fills less
        than half of one are left for other epochs.
        """
        if self.beside is not None and np.random.default_rng([self.seed, update, 1]).random() < self.beside[1]:
            return self.beside[0].at(update)
        epoch, index = divmod(update, self.updates_per_epoch)
        piece, begin, length, edges = self._plan(epoch)
        first, stop = int(edges[index]), int(edges[index + 1])
        if first == stop:
            first, stop = first % len(piece), first % len(piece) + 1
        rows = slice(first, stop)
        drawn = self._gather(piece[rows], begin[rows], np.zeros_like(length[rows]), length[rows])
        spec = self.pieces.spec
        if self.retold is None or not isinstance(spec, TokenSpec):
            return drawn
        return self._retell(drawn, spec, *self.retold, np.random.default_rng([update, self.seed]))

    def _retell(self, drawn: Drawn, spec: TokenSpec, codec: Retells, share: float, rng: np.random.Generator) -> Drawn:
        """Some of the windows told otherwise, as far as there is room."""
        x, mask, begin = drawn.x.copy(), drawn.mask.copy(), drawn.begin.copy()
        for row in np.flatnonzero(rng.random(len(x)) < share):
            given = x[row, 1:][mask[row, 1:]]
            ids = given[given != spec.eos]
            told = codec.retold(ids, rng, len(ids) < len(given))
            if told is None:
                continue
            foretold = ~np.append(codec.given(told), False)[: x.shape[1] - 1]
            told = np.append(told, spec.eos)[: x.shape[1] - 1]
            x[row], mask[row], begin[row] = spec.pad, False, 0
            x[row, 0], x[row, 1 : 1 + len(told)], mask[row, 1 : 1 + len(told)] = spec.bos, told, foretold
        weight = drawn.weight if self.importance is None else np.where(mask, self.importance[x], 0).astype(np.float32)
        return Drawn(x, mask, begin, weight)

    def cover(self, context: int | None = None) -> Iterator[Drawn]:
        """Predict every position exactly once, as held-out figures need it.

        Args:
            context: how many rows a model can look back on. With None each window is a whole piece from its beginning:
                each position is conditioned on all that precedes it in its piece. With a number, windows of that length
                overlap by half: each position is conditioned on at least `context // 2` rows, or all there are. Phrases
                are cut end to end whatever it says.

        Yields:
            Windows; what stands before the mask is context.
        """
        targets = self.pieces.targets
        longest = int(targets.max(initial=1)) if context is None else self._whole(context)
        stride = self._whole(longest - longest // 2)
        if self.align is not None:
            longest = stride = self.length
        steps = np.where(targets > 0, 1 + np.maximum(-((longest - targets) // stride), 0), 0)  # windows for each piece
        piece, nth = _unroll(steps)
        begin = nth * stride
        length = np.minimum(longest, targets[piece] - begin)
        skipped = np.where(nth == 0, 0, longest - stride)
        order = np.argsort(-length, kind="stable")
        room = max(4 * self.batch * self.length, LEAST_ROOM)  # without gradients there is room for more at once
        first = 0
        while first < len(order):
            count = max(1, room // int(length[order[first]]))
            rows = order[first : first + count]
            yield self._gather(piece[rows], begin[rows], skipped[rows], length[rows])
            first += count

    def _whole(self, rows: int) -> int:
        """As many whole groups as so many rows have, one at least."""
        return max(rows // self.grain, 1) * self.grain

    def _plan_epoch(self, epoch: int) -> tuple[Ids, Ids, Ids, Ids]:
        """For each window of an epoch its piece, its beginning there and its predicted rows; and the batches' edges."""
        rng = np.random.default_rng([self.seed, epoch])
        times = np.floor(self.weights + rng.random(len(self.pieces))).astype(np.int64)
        times[self.weights.argmax()] += not (times * self.pieces.targets).any()
        drawn = np.repeat(np.arange(len(self.pieces)), times)
        targets = self.pieces.targets[drawn]
        cut = self._anywhere if self.align is None else self._phrases
        which, begin, length = cut(targets, rng)

        order = rng.permutation(len(begin))
        updates = self.updates_per_epoch
        size = length if self.align is None else np.full_like(length, self.length)
        total = max(int(size.sum()), 1)
        pool = _share(size[order], updates, total) // POOL
        order = order[np.lexsort((size[order], pool))]
        batch = _share(size[order], updates, total)
        edges = np.searchsorted(batch, np.arange(updates + 1))
        shuffled = rng.permutation(updates)
        rows = order[np.concatenate([np.arange(edges[b], edges[b + 1]) for b in shuffled])]
        edges = np.concatenate([[0], np.cumsum(np.diff(edges)[shuffled])])
        return drawn[which[rows]], begin[rows], length[rows], edges

    def _anywhere(self, targets: Ids, rng: np.random.Generator) -> tuple[Ids, Ids, Ids]:
        """Cut pieces of so many rows end to end, from a random place on."""
        size = self.length
        lacking = rng.integers(0, size // self.grain, len(targets)) * self.grain
        lead = np.where(targets <= size, 0, lacking)  # what the first window lacks
        which, nth = _unroll(-((-targets - lead) // size))
        begin = np.maximum(nth * size - lead[which], 0)
        return which, begin, np.minimum((nth + 1) * size - lead[which], targets[which]) - begin

    def _phrases(self, targets: Ids, rng: np.random.Generator) -> tuple[Ids, Ids, Ids]:
        """Cut phrases end to end out of pieces of so many rows, from a random multiple of `align` on."""
        size, align = self.length, self.align or 1
        latest = np.minimum(np.maximum(targets - size, 0), size - 1) // align  # where the first phrase may begin
        first = rng.integers(0, latest + 1) * align
        full, rest = np.divmod(targets - first, size)
        count = np.where(targets > 0, np.maximum(full + (rest >= LEAST_FULL * size), 1), 0)
        which, nth = _unroll(count)
        begin = first[which] + nth * size
        return which, begin, np.minimum(size, targets[which] - begin)

    def _gather(self, piece: Ids, begin: Ids, skipped: Ids, length: Ids) -> Drawn:
        """Windows from `begin` in their pieces, of which the predicted rows after `skipped` up to `length` count."""
        pieces = self.pieces
        given = pieces.given
        steps = np.arange((int(length.max(initial=0)) if self.align is None else self.length) + given)
        inside = steps < length[:, None] + given
        x = pieces.read(np.where(inside, (pieces.starts[piece] + begin)[:, None] + steps, 0))
        x[~inside] = pieces.spec.pad if isinstance(pieces.spec, TokenSpec) else 0
        mask = inside & (steps >= skipped[:, None] + given)
        weight = None if self.importance is None else np.where(mask, self.importance[x], 0).astype(np.float32)
        return Drawn(x, mask, begin, weight)


def importance(pieces: Pieces, least: int) -> NDArray[np.float32]:
    """How much each id must count to weigh as if it occurred `least` times; (V,), 1 for what occurs as often.

    A lofi tutorial after Skúli's copies every window that predicts a rare note until each note is predicted 700 times;
    a position that counts as often as it would be copied has the same gradient, on average, and needs no copy. What is
    no music (`bos`, `eos`, `pad`) and what never occurs stays at 1.

    Example:
        >>> spec = TokenSpec(vocab_size=6, pad=3, bos=4, eos=5)
        >>> pieces = Pieces(np.array([4, 0, 0, 0, 1, 5]), *np.array([[0], [6], [4]]), spec=spec, digest="")
        >>> importance(pieces, 3).tolist()
        [1.0, 3.0, 1.0, 1.0, 1.0, 1.0]
    """
    spec = pieces.spec
    if not isinstance(spec, TokenSpec):
        raise TypeError("frames are no ids")
    counts = np.zeros(spec.vocab_size, dtype=np.int64)
    for number in range(len(pieces)):
        counts += np.bincount(pieces[number], minlength=spec.vocab_size)
    counts[[spec.pad, spec.bos, spec.eos]] = 0
    return np.where(counts > 0, np.maximum(least / np.maximum(counts, 1), 1), 1).astype(np.float32)


def _share(length: Ids, updates: int, total: int) -> Ids:
    """Which of `updates` equal shares of all positions the middle of each window falls into, windows in this order."""
    middle = 2 * np.cumsum(length) - length
    return np.asarray(middle * updates // (2 * total))


def _unroll(counts: Ids) -> tuple[Ids, Ids]:
    """For counts (2, 3): owners (0, 0, 1, 1, 1) and their numbers (0, 1, 0, 1, 2)."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
