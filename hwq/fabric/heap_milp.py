"""The integer programmes of heaps solved by scipy, at once or stage after stage. Offline, for time may end it: elsewhere it may differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwq.fabric.heap_programme import Programme, Wanted, programme_of, schedule_from
from hwq.fabric.heap_schedule import Schedule

__all__ = ["solve", "solve_by_stages"]

Floats = NDArray[np.float64]

#: How far from the least costs a solution may be, as a share of them; how many linear programmes a search may take.
GAP, NODES = 1e-4, 100_000
#: The same for a stage that is fixed before the others: what it gets wrong by less does not show in the end.
STAGE_GAP, STAGE_NODES = 5e-4, 1000
#: Stages that are solved as one in the end.
TOGETHER = 3


def solve(wanted: Wanted, seconds: float) -> Schedule | None:
    """The best schedule found in a time; None if none was."""
    programme = programme_of(wanted)
    upper = np.array(programme.upper)
    found = _optimum(programme, (np.zeros(len(upper)), upper), np.ones(len(upper), bool), seconds, GAP, NODES)
    return None if found is None else schedule_from(wanted, programme, found)


def solve_by_stages(wanted: Wanted, seconds: float) -> Schedule | None:
    """A good schedule, in a small part of the time of :func:`solve` where many bits meet a limit of CARRY8; None if there is none this way.

    Relax and fix: the counters of a stage and the next are whole numbers, those of later stages fractions; then those of the stage are
    fixed. The last stages are solved as one. ``seconds``: for each of these. Source: Pochet, Wolsey, "Production Planning by Mixed Integer
    Programming", 2006, section 3.6.
    """
    programme = programme_of(wanted)
    stage = np.array([name[1] for name in programme.names])
    lower, upper = np.zeros(len(stage)), np.array(programme.upper)
    last = max(0, wanted.stages - TOGETHER)
    for now in range(last):
        found = _optimum(programme, (lower, upper), (stage >= now) & (stage <= now + 1), seconds, STAGE_GAP, STAGE_NODES)
        if found is None:
            return None
        lower[stage == now] = upper[stage == now] = np.round(found[stage == now])
    found = _optimum(programme, (lower, upper), stage >= last, seconds, STAGE_GAP, NODES)
    return None if found is None else schedule_from(wanted, programme, found)


def _optimum(
    programme: Programme, bounds: tuple[Floats, Floats], whole: NDArray[np.bool_], seconds: float, gap: float, nodes: int
) -> Floats | None:
    """Values of the variables between bounds, those ``whole`` integers; None if the solver came to none."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    r, c, v = zip(*((r, c, v) for r, (terms, _, _) in enumerate(programme.rows) for c, v in terms.items()), strict=True)
    matrix = csr_array((v, (r, c)), shape=(len(programme.rows), len(programme.costs)))
    found = milp(
        programme.costs,
        constraints=LinearConstraint(matrix, [row[1] for row in programme.rows], [row[2] for row in programme.rows]),
        bounds=Bounds(*bounds),
        integrality=whole.astype(int),
        options={"time_limit": seconds, "mip_rel_gap": gap, "node_limit": nodes},
    )
    return found.x
