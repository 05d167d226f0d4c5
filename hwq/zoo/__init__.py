"""Reference networks with a choice of quantizers, recipes that train small ones from nothing, and readers of data sets.

>>> import hwq.zoo
>>> net = hwq.zoo.build("resnet18", weight="ternary", activation="uniform4")      # doctest: +SKIP
>>> hwq.zoo.NETWORKS["resnet18"].macs
1814073344
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hwq.zoo.networks import NETWORKS, Network, build, write_random

if TYPE_CHECKING:
    from hwq.zoo.choice import Choice as Choice
    from hwq.zoo.counts import count as count
    from hwq.zoo.random_weights import randomize as randomize

__all__ = ["NETWORKS", "Choice", "Network", "build", "count", "randomize", "write_random"]

_LAZY = {"Choice": "hwq.zoo.choice", "count": "hwq.zoo.counts", "randomize": "hwq.zoo.random_weights"}


def __getattr__(name: str) -> Any:
    # The table of networks is read without torch; building one is not.
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'hwq.zoo' has no attribute {name!r}")
