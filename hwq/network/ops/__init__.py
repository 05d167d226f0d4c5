"""The closed op set of the Network: one frozen dataclass an op, with its shape, interval and golden meaning.

Nothing else in hwq restates what an op computes.
"""

from hwq.network.ops.accumulation import Accumulation, Exact, Saturating
from hwq.network.ops.base import Integers, Op, Shape, Unary
from hwq.network.ops.border import BorderAffine
from hwq.network.ops.conv import Conv
from hwq.network.ops.join import Add, Concat, Mul, Split
from hwq.network.ops.layout import Flatten, Pad, Upsample
from hwq.network.ops.pool import Pool
from hwq.network.ops.select import ArgMax, TopK
from hwq.network.ops.staircase import Lookup, Requantize, Threshold
from hwq.network.ops.window import Window

__all__ = [
    "Accumulation",
    "Add",
    "ArgMax",
    "BorderAffine",
    "Concat",
    "Conv",
    "Exact",
    "Flatten",
    "Integers",
    "Lookup",
    "Mul",
    "Op",
    "Pad",
    "Pool",
    "Requantize",
    "Saturating",
    "Shape",
    "Split",
    "Threshold",
    "TopK",
    "Unary",
    "Upsample",
    "Window",
]
