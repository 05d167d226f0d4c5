"""What a plan is made for: frames a second, latency, shares of the device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

from hwq.errors import InputError
from hwq.plan.device import Device
from hwq.plan.resources import RESOURCE_NAMES, Resources

__all__ = ["DEFAULT_BUDGET", "Goal"]

# Beyond this share of the LUTs placement and routing get hard; the other resources may be used up.
DEFAULT_BUDGET: Mapping[str, float] = {"lut": 0.7}


@dataclass(frozen=True)
class Goal:
    """As fast as fits, unless ``fps`` or ``latency_s`` say what is enough.

    Parameters
    ----------
    fps
        Frames a second to reach at least.
    latency_s
        Seconds from the first beat in to the last beat out, at most.
    budget
        Share of the device by resource name, 0..1; resources not named keep their default (70 % of the LUTs, all of the rest).
    """

    fps: float | None = None
    latency_s: float | None = None
    budget: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for option, value in (("--fps", self.fps), ("--latency", self.latency_s)):
            if value is not None and not (isfinite(value) and value > 0):
                raise InputError("GOAL-VALUE", f"{value:g} was given, expected a number above 0", where=option)
        for name, share in self.budget.items():
            if name not in RESOURCE_NAMES:
                raise InputError("GOAL-BUDGET", f"{name!r} is no resource, expected one of {', '.join(RESOURCE_NAMES)}", where="--budget")
            if not 0 < share <= 1:
                raise InputError("GOAL-BUDGET", f"{name}={share:g} was given, expected a share above 0, up to 1", where="--budget")

    def share(self, resource: str) -> float:
        """Share of the device that may be used."""
        return self.budget.get(resource, DEFAULT_BUDGET.get(resource, 1.0))

    def allowance(self, device: Device) -> Resources:
        """Amounts that may be used."""
        return Resources(**{name: amount * self.share(name) for name, amount in device.capacity.as_dict().items()})
