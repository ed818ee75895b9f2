"""Generation: from a bundle and a request to pieces of music.

Asked for nothing, a piece made id by id ends where the model ends it, but not before 4 bars (an end drawn sooner is
drawn again) and not long after 4 minutes (it is cut there, and says so); a grid, which has no end, gets 16 bars. Piece
i of a request draws from `numpy.random.default_rng([seed, i])`, so the same bundle, request, seed and number of pieces
give the same music on the same machine. Pieces go through the model side by side; `streaming` tells one while it is
made.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from partimento.bundle import Bundle
from partimento.codec import Codec, Request, TokenSpec
from partimento.discovery import names_in
from partimento.errors import ImpossibleRequest, InvalidBundle
from partimento.generation.copying import CopyLimit
from partimento.generation.grids import GridGeneration, GridPrompt
from partimento.generation.ids import IdGeneration, IdPrompt
from partimento.generation.made import Made
from partimento.generation.requests import check, check_key, length_asked, prompt_losses
from partimento.guards import Guards
from partimento.progress import Watch, ignore
from partimento.sampling import Sampling
from partimento.score import Score
from partimento.settings import from_table

__all__ = ["CopyLimit", "Made", "generate", "open_player", "prompt_losses"]


def generate(
    bundle: Bundle,
    *,
    request: Request | None = None,
    sampling: Sampling | None = None,
    guards: Guards | None = None,
    player: Mapping[str, Any] | None = None,
    n: int = 1,
    seed: int = 0,
    prompt: Score | NDArray[Any] | None = None,
    threads: int = 1,
    limit: CopyLimit | None = None,
    watch: Watch = ignore,
) -> Iterator[Made]:
    """Make new pieces, in order.

    Args:
        bundle: what plays.
        request: what each piece must be; as the bundle's recipe says if None.
        sampling: how ids or cells are drawn; as the bundle's recipe says if None.
        guards: what keeps pieces made of ids from going wrong; those of grids are in the request.
        player: settings of the bundle's player, by name, in place of its recipe's.
        n: how many pieces.
        seed: the same seed gives the same music.
        prompt: music to go on from; a score, or what the bundle's codec makes of one: (P,) ids, with or without `bos`
            and `eos`, or (T, C, P) frames.
        threads: for each step of the model.
        limit: how long passages may be shared with what was learnt from; as they come if None.
        watch: hears how far the work is, and each remark.

    Returns:
        The pieces, made as they are asked for. The request is checked at once.

    Raises:
        ImpossibleRequest: this bundle cannot make it; nothing has been sampled.
        InvalidSettings: the player has no such setting.
        InvalidBundle: the bundle's parts do not work together.
    """
    if request is None:
        request = from_table(Request, bundle.recipe.get("request", {}), "request")
    check(request, n, seed)
    codec = bundle.codec()
    check_key(request, codec)
    if sampling is None:
        sampling = from_table(Sampling, bundle.recipe.get("sampling", {}), "sampling")
    if not isinstance(codec.spec, TokenSpec):
        frames = open_player(bundle, threads, player)
        grid_prompt = GridPrompt.of(codec, prompt, frames.align)
        return GridGeneration(codec, frames, request, sampling, grid_prompt, n, seed, watch, limit).run()
    _check_grammar(request, codec, bundle)
    heard = IdPrompt.of(codec, prompt)
    stepper = open_player(bundle, threads, player)
    return IdGeneration(codec, stepper, request, sampling, guards or Guards(), heard, n, seed, watch, limit).run()


def open_player(bundle: Bundle, threads: int = 1, settings: Mapping[str, Any] | None = None) -> Any:
    """Open what plays the bundle: a `Stepper` or a `GridPlayer`.

    Args:
        bundle: what is to be played.
        threads: for each step.
        settings: of the player, by name, in place of those that the bundle's recipe says.

    Raises:
        InvalidSettings: the player has no such setting.
        InvalidBundle: this version of Partimento has no such player, or it cannot use what the bundle holds.
    """
    if bundle.player_name not in names_in("partimento.players"):
        raise InvalidBundle(
            f"{bundle.folder} is played by {bundle.player_name!r}, which this version of Partimento does not have: "
            "pip install --upgrade partimento."
        )
    module = importlib.import_module(f"partimento.players.{bundle.player_name}")
    table = {**bundle.recipe.get("player", {}), **(settings or {})}
    return module.open_player(bundle.player_folder, from_table(module.Settings, table, "player"), threads)


def _check_grammar(request: Request, codec: Codec[Any], bundle: Bundle) -> None:
    """Refuse what the codec's grammar cannot count, or cannot meet.

    Raises:
        ImpossibleRequest: says why.
    """
    grammar = codec.grammar()
    asked = length_asked(request)
    if grammar:
        grammar.start(request)
    elif asked:
        raise ImpossibleRequest(
            f"The codec {bundle.codec_name!r} of this bundle cannot count {asked} while it writes; ask for none."
        )
