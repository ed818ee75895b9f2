"""Style: the colours and letters that all pictures share.

The colours of tracks are Okabe and Ito's (2008, "Color Universal Design"), who chose them so that people with any
common colour blindness tell them apart, in an order and a darkness that suit thin shapes on white; after them come
Paul Tol's (2021, "Colour schemes", muted). No picture tells by colour alone what it could write beside it.
"""

from __future__ import annotations

INK, GREY, PALE = "#1f2d3a", "#77828d", "#d9dee3"
PAPER, PANEL, BLACK_KEYS = "#ffffff", "#fafbfc", "#eff2f5"
PROMPT, GIVEN = "#fbf0d6", "#98a2ab"
BLUE, VERMILION, GREEN = "#0072b2", "#d55e00", "#009e73"
TRACKS = (
    BLUE,
    VERMILION,
    GREEN,
    "#c26a98",  # reddish purple
    "#d99000",  # orange
    "#3fa5dc",  # sky blue
    "#332288",  # indigo
    "#882255",  # wine
    "#8a8a2b",  # olive
    "#44aa99",  # teal
)
DRUMS = "#7a4b2a"  # brown, not to be taken for what was given
FAMILY = "Aileron, 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif"


def mixed(colour: str, share: float, with_colour: str = PAPER) -> str:
    """`share` of a colour, the rest of another.

    Example:
        >>> mixed("#000000", 0.5)
        '#808080'
    """
    parts = zip(_channels(colour), _channels(with_colour), strict=True)
    return "#" + "".join(f"{round(a * share + b * (1 - share) + 1e-9):02x}" for a, b in parts)


def _channels(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
