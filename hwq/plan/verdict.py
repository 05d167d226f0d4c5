"""The sentence that says what does not fit, what binds, and what would lift it."""

from __future__ import annotations

from math import ceil, floor, log10

from hwq.errors import NegativeVerdict
from hwq.plan.cost import ERROR_BAND
from hwq.plan.device import Device
from hwq.plan.goal import DEFAULT_BUDGET, Goal
from hwq.plan.resources import Resources

__all__ = ["TITLES", "does_not_fit"]

TITLES = {"lut": "LUT", "lutram": "LUT as memory", "ff": "FF", "bram36": "BRAM36", "uram": "URAM", "dsp": "DSP"}


def does_not_fit(
    name: str, cost: Resources, device: Device, goal: Goal, clock_mhz: float, cycles: int, fits_at: int | None
) -> NegativeVerdict:
    """The verdict on a plan of ``cycles`` cycles a frame that costs ``cost``; ``fits_at`` cycles would fit, None: none do."""
    allowance = goal.allowance(device)
    shares = cost.fraction_of(allowance)
    over = {r: s for r, s in shares.items() if s > 1} or {max(shares, key=lambda r: shares[r]): max(shares.values())}
    lines = [_needs(r, cost, allowance, device, goal) for r in over]
    binding = max(over, key=lambda r: over[r])
    return NegativeVerdict(
        "DOES-NOT-FIT",
        f"{name} at {_cycles(cycles)} a frame does not fit {device.part}: {'; '.join(lines)}; "
        f"{TITLES[binding]} is the binding constraint (estimates, +-{ERROR_BAND:.0%})",
        where=device.name,
        hint=_lift(binding, cost, device, goal, clock_mhz, cycles, fits_at),
    )


def _needs(resource: str, cost: Resources, allowance: Resources, device: Device, goal: Goal) -> str:
    needs, has = ceil(getattr(cost, resource)), floor(getattr(allowance, resource))
    share = goal.share(resource)
    budget = f" ({100 * share:.4g}% of {round(getattr(device.capacity, resource))})" if share < 1 else ""
    return f"needs {needs} {TITLES[resource]}, has {has}{budget}"


def _cycles(count: int) -> str:
    return f"{count} cycle{'s' if count != 1 else ''}"


def _percent(share: float) -> str:
    """``share`` in percent, rounded up at its second digit: a budget that is asked for must suffice."""
    digits = max(0, 1 - floor(log10(100 * share)))
    return f"{ceil(100 * share * 10**digits) / 10**digits:.{digits}f}%"


def _lift(resource: str, cost: Resources, device: Device, goal: Goal, clock_mhz: float, cycles: int, fits_at: int | None) -> str:
    ways = []
    if goal.latency_s and not (goal.fps and cycles + 1 > clock_mhz * 1e6 / goal.fps):
        ways.append(f"allow a latency above {goal.latency_s * 1e9:g} ns")
    elif fits_at:
        ways.append(f"ask for {floor(clock_mhz * 1e6 / fits_at)} frames a second or fewer ({_cycles(fits_at)} a frame)")
    share = getattr(cost, resource) / (getattr(device.capacity, resource) or 1)
    if goal.share(resource) < share <= 1:
        ways.append(f"raise the budget to {resource}={_percent(share)}")
    usual = DEFAULT_BUDGET.get(resource, 1.0)
    if share > usual or not ways:
        # A budget below the usual says nothing of devices.
        more = ceil(getattr(cost, resource) / max(goal.share(resource), usual))
        ways.append(f"take a device with {more} {TITLES[resource]} or more")
    return "To lift it: " + ", or ".join(ways)
