"""Orders: what a page may ask for, and the command of the command line that does it.

Each kind of job is a class whose fields are what a page sends; each becomes the words of one command, so that the
studio does what the command line does and says what it says. Models, pieces and corpora are named by their ids; what
they are on the disk, and where a command writes, is for the studio alone to say. `composing`, `looking` and `learning`
have those of a lane each.
"""

from __future__ import annotations

from partimento.studio.orders.composing import Accompany, Compose, Fill, Harmonise, Interpolate, Vary
from partimento.studio.orders.learning import Compare, Shrink, Train
from partimento.studio.orders.looking import Audition, Evaluate, Inspect
from partimento.studio.orders.order import Order

KINDS: tuple[type[Order], ...] = (
    *(Compose, Fill, Vary, Accompany, Harmonise, Interpolate),
    *(Inspect, Audition, Evaluate),
    *(Train, Compare, Shrink),
)
ORDERS = {kind.kind: kind for kind in KINDS}
"""Every kind of job, by its name."""
