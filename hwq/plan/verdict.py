"""The sentence that says what does not fit, what binds, and what would lift it."""

from __future__ import annotations

from hwq.errors import NegativeVerdict
from hwq.plan.cost import ERROR_BAND
from hwq.plan.device import Device
from hwq.plan.goal import Goal
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
        f"{name} at {cycles} cycles a frame does not fit {device.part}: {'; '.join(lines)}; "
        f"{TITLES[binding]} is the binding constraint (estimates, +-{ERROR_BAND:.0%})",
        where=device.name,
        hint=_lift(binding, cost, device, clock_mhz, fits_at),
    )


def _needs(resource: str, cost: Resources, allowance: Resources, device: Device, goal: Goal) -> str:
    needs, has, all_of = (round(getattr(r, resource)) for r in (cost, allowance, device.capacity))
    share = goal.share(resource)
    budget = f" ({share:.0%} of {all_of})" if share < 1 else ""
    return f"needs {needs} {TITLES[resource]}, has {has}{budget}"


def _lift(resource: str, cost: Resources, device: Device, clock_mhz: float, fits_at: int | None) -> str:
    ways = []
    if fits_at:
        ways.append(f"ask for {clock_mhz * 1e6 / fits_at:.0f} frames a second or fewer ({fits_at} cycles a frame)")
    share = getattr(cost, resource) / (getattr(device.capacity, resource) or 1)
    if share <= 1:
        ways.append(f"raise the budget to {resource}={share:.0%}")
    ways.append(f"take a device with more {TITLES[resource]}")
    return "To lift it: " + ", or ".join(ways)
