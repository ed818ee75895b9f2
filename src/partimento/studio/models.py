"""Models: what there is to compose with, the one that comes along and those trained here, and what each can do.

Whether a model can do something is told with the reason where it cannot, so that a page can show that.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from partimento.bundle import COMES_ALONG, Bundle, open_bundle
from partimento.codec import TokenSpec
from partimento.errors import PartimentoError
from partimento.filling.possible import require_filling
from partimento.interpolation import settings_of
from partimento.studio.orders.order import RUN
from partimento.studio.places import Places
from partimento.studio.shelves import NotThere, Shelves

NAME = "the model that comes along"
FILLS = (
    "This model writes pieces from their beginning to their end and has not learnt to fill; train one by the recipe "
    "nested."
)
NO_SPACE = "Only a model with a space in which pieces lie near one another can do this; train one by the recipe vae."
GRIDS = "This model draws grids, and cannot be heard while it composes."
SMALL = "It is in few bits already."
NO_PRODUCTS = "Only a model that writes one id after another by a network can be made smaller."
NO_RUN = "Only a run that was trained here has checkpoints to hear."


class Models:
    """The models of a studio."""

    def __init__(self, places: Places, shelves: Shelves) -> None:
        self._places = places
        self._shelves = shelves
        self._bundles: dict[str, tuple[Bundle, dict[str, str]]] = {}

    def all(self) -> list[dict[str, Any]]:
        """Every model: the one that comes along, and those that were trained here."""
        found = [COMES_ALONG, *(row["id"] for row in self._shelves.all("jobs", model=1))]
        return [told for id in found if (told := self._told(id)) is not None]

    def _told(self, id: str) -> dict[str, Any] | None:
        try:
            bundle, modes = self._bundle(id)
        except PartimentoError:
            return None
        scores_of = bundle.facts.get("scores")
        return {
            "id": id,
            "name": NAME if id == COMES_ALONG else str(self._shelves.there("jobs", id)["label"]),
            "recipe": f"{bundle.model_name} on {bundle.codec_name}",
            "about": str(bundle.facts.get("about") or bundle.recipe.get("about") or ""),
            "modes": modes,
            "scores": dict(scores_of) if isinstance(scores_of, dict) else {},
            "learnt": id != COMES_ALONG,
        }

    def _bundle(self, id: str) -> tuple[Bundle, dict[str, str]]:
        if id not in self._bundles:
            place = self.place(id)
            bundle = open_bundle(None if place == COMES_ALONG else Path(place))
            self._bundles[id] = bundle, modes(bundle, trained_here=id != COMES_ALONG)
        return self._bundles[id]

    def bundle(self, id: str) -> Bundle:
        """A model."""
        return self._bundle(id)[0]

    def place(self, id: str) -> str:
        """The place of a model, as the command line takes it."""
        if id == COMES_ALONG:
            return COMES_ALONG
        row = self._shelves.there("jobs", id)
        if row["kind"] not in ("train", "shrink"):
            raise NotThere(id)
        return str(self._places.job(id) / RUN)


def modes(bundle: Bundle, *, trained_here: bool) -> dict[str, str]:
    """What a model can do: nothing by a name where it can, else why not."""
    codec = bundle.codec()
    return {
        "compose": "",
        "continue": "",
        "stream": "" if isinstance(codec.spec, TokenSpec) else GRIDS,
        **dict.fromkeys(("fill", "vary", "accompany", "harmonise", "plan"), _unless(require_filling, bundle, FILLS)),
        "interpolate": _unless(settings_of, bundle, NO_SPACE),
        "audition": "" if trained_here else NO_RUN,
        "shrink": _shrinks(bundle) if trained_here else NO_RUN,
    }


def _unless(require: Callable[[Bundle], Any], bundle: Bundle, why: str) -> str:
    """Why a model cannot do something that is refused where it is done; nothing where it can."""
    try:
        require(bundle)
    except PartimentoError:
        return why
    return ""


def _shrinks(bundle: Bundle) -> str:
    """Why a model cannot be made smaller; nothing where it can."""
    if "shrunk" in bundle.facts:
        return SMALL
    writes = isinstance(bundle.codec().spec, TokenSpec) and any(bundle.player_folder.glob("*.onnx"))
    return "" if writes else NO_PRODUCTS
