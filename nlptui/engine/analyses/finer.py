"""Attribution by integrated gradients that add up: as many points on the way as it takes, however long.

Where a score changes abruptly on the way, as that of a recurrent network with a long text does, the points
that there is time for in between do not tell its mean slope. Says how far it is, and can be ended.
Source: Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks", section 5, on how many points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nlptui.engine.analyses import attribution

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine
    from nlptui.trace import Recorder, Trace

WORK = 200 * attribution.WORK
"""Where it gives up: after some minutes on one core."""


def fits(config: Any) -> bool:
    """Whether there is a logit with a gradient, and the text's tokens are embedded."""
    return attribution.fits(config)


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """`gradient_input`, `integrated` (batch pos), of a translator for each side; `gap` (batch)."""
    attribution.by_gradients(engine, trace, asked, rec, WORK)
