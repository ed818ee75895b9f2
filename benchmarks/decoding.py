"""How fast ids are drawn: our players beside Hugging Face `generate`, networks of one size, one thread, one run.

    pip install transformers && python benchmarks/decoding.py FOLDER [--width 512 --layers 8 --ids 768]

Weights are random; the arithmetic is that of trained ones. The peer is a Llama (rotary positions, norms before each
part, a cache, scaled dot-product attention: what is quickest there) of as many parameters, in float32. Ids a second of
processor time, each the median of some rounds, a round of each system after the other:

    step       the model alone, one id after the other, as a player is asked while it composes
    composing  all of it: grammar, guards, top-p, the score at the end; `generate` of the peer draws with top-p alone

The nested model is told in ids, too, of which six are an event and one step of its tower: once alone, drawn as the
others are, and once with all that its recipe has (musical time, tallies, returns, and how it draws). FOLDER is music
for the vocabulary of the codec.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from loops import scores
from partimento.bundle import Bundle, write_bundle
from partimento.codec import Request, codec_named
from partimento.generation import generate, open_player
from partimento.model import model_named
from partimento.recipes import recipe_named
from partimento.sampling import Sampling
from partimento.settings import from_table, to_table
from partimento.shrinking import shrink

ROUNDS = 5
NUCLEUS = Sampling(top_p=0.98)


def bundle_of(codec: Any, model_name: str, shape: dict[str, Any], place: Path) -> tuple[Bundle, int]:
    """A bundle of an untrained network, and its parameters."""
    network = model_named(model_name)
    torch.manual_seed(0)
    model = network(from_table(network.Settings, shape, "model"), codec.spec)
    arrays = model.arrays()
    bundle = write_bundle(
        place,
        recipe={"codec": to_table(codec.settings), "model": shape},
        codec_name="cells",
        codec=codec,
        model_name=model_name,
        arrays=arrays,
        export=model.export,
        facts={},
    )
    return bundle, sum(array.size for array in arrays.values())


def llama(vocabulary: int, shape: dict[str, Any], parameters: int) -> Any:
    """The peer's network, with as many parameters as its middle can be made to give."""
    from transformers import LlamaConfig, LlamaForCausalLM

    width, layers = shape["width"], shape["layers"]
    others = 2 * vocabulary * width + layers * (4 * width * width + 2 * width)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=round((parameters - others) / (3 * width * layers)),
        num_hidden_layers=layers,
        num_attention_heads=shape["heads"],
        max_position_embeddings=shape["context"],
        bos_token_id=0,
        eos_token_id=None,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    return LlamaForCausalLM(config).eval()


def timed(work: Callable[[], int]) -> float:
    """Ids a second of processor time."""
    began = time.process_time()
    count = work()
    return count / (time.process_time() - began)


def stepping(bundle: Bundle, count: int) -> Callable[[], int]:
    """The player alone, over ids that its grammar lets come."""
    codec = bundle.codec()
    rng = np.random.default_rng(0)
    grammar = codec.grammar()
    grammar.start(Request())
    grammar.begin()
    ids = [codec.spec.bos]
    while len(ids) < count:
        ids.append(int(rng.choice(np.flatnonzero(grammar.mask()))))
        if ids[-1] == codec.spec.eos:
            ids.pop()
            continue
        grammar.advance(ids[-1])
    row = np.array(ids, dtype=np.int64)
    stepper = open_player(bundle)

    def work() -> int:
        state = stepper.start(1)
        for place in range(count):
            _, state = stepper.step(row[place : place + 1], state)
        return count

    return work


def composing(bundle: Bundle, count: int, sampling: Sampling = NUCLEUS) -> Callable[[], int]:
    """All that makes a piece of about so many ids."""
    codec = bundle.codec()

    def work() -> int:
        (made,) = generate(bundle, request=Request(notes=count // 6), sampling=sampling, seed=0)
        return len(codec.encode(made.score))

    return work


def generating(model: Any, count: int) -> Callable[[], int]:
    """The peer's `generate`."""
    start = torch.zeros((1, 1), dtype=torch.long)
    options: dict[str, Any] = {"do_sample": True, "top_p": 0.98, "top_k": 0, "use_cache": True}

    def work() -> int:
        with torch.inference_mode():
            found = model.generate(start, attention_mask=start + 1, max_new_tokens=count, **options)
        return int(found.shape[1]) - 1

    return work


def main() -> None:
    """Print a row for each system."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("music", type=Path)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--ids", type=int, default=768)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    kind = codec_named("cells")
    codec = kind(kind.Settings())
    codec.learn(scores(chosen.music, 100))
    shape = {"layers": chosen.layers, "width": chosen.width, "heads": chosen.width // 64, "context": 1024}
    with tempfile.TemporaryDirectory() as spare:
        place = Path(spare)
        plain, parameters = bundle_of(codec, "transformer", shape, place / "plain")
        nested, own = bundle_of(codec, "nested", {**shape, "inner": 128}, place / "nested")
        recipe = recipe_named("nested").settings
        whole, most = bundle_of(codec, "nested", {**to_table(recipe["model"]), **shape}, place / "whole")
        peer = llama(codec.spec.vocab_size, shape, parameters)
        sizes = {"plain": parameters, "nested": own, "whole": most, "peer": sum(p.numel() for p in peer.parameters())}
        eight = {
            name: shrink(bundle, place / f"{name}-8", None).bundle
            for name, bundle in (("plain", plain), ("nested", nested), ("whole", whole))
        }
        drawn = recipe["sampling"]
        systems: dict[str, tuple[str, Callable[[], int]]] = {
            "Hugging Face `generate`, float32": ("peer", generating(peer, chosen.ids)),
            "`transformer`, step, float32": ("plain", stepping(plain, chosen.ids)),
            "`transformer`, step, 8 bits": ("plain", stepping(eight["plain"], chosen.ids)),
            "`transformer`, composing, float32": ("plain", composing(plain, chosen.ids)),
            "`transformer`, composing, 8 bits": ("plain", composing(eight["plain"], chosen.ids)),
            "`nested`, step, float32": ("nested", stepping(nested, chosen.ids)),
            "`nested`, step, 8 bits": ("nested", stepping(eight["nested"], chosen.ids)),
            "`nested`, composing, float32": ("nested", composing(nested, chosen.ids)),
            "`nested`, composing, 8 bits": ("nested", composing(eight["nested"], chosen.ids)),
            "`nested` as its recipe is, step, float32": ("whole", stepping(whole, chosen.ids)),
            "`nested` as its recipe is, step, 8 bits": ("whole", stepping(eight["whole"], chosen.ids)),
            "`nested` as its recipe is, composing, float32": ("whole", composing(whole, chosen.ids, drawn)),
            "`nested` as its recipe is, composing, 8 bits": ("whole", composing(eight["whole"], chosen.ids, drawn)),
        }
        rates: dict[str, list[float]] = {name: [] for name in systems}
        for _ in range(ROUNDS):
            for name, (_, work) in systems.items():
                rates[name].append(timed(work))
    base = statistics.median(next(iter(rates.values())))
    print("| system | parameters | ids a second | ratio |\n|---|---:|---:|---:|")
    for name, (which, _) in systems.items():
        rate = statistics.median(rates[name])
        print(f"| {name} | {sizes[which]:,} | {rate:,.0f} | {rate / base:.2f} |")


if __name__ == "__main__":
    main()
