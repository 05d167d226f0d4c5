"""Datapath depths: cycles from the completing firing of a stage to the write into its Egress. Gateware is built to these."""

from __future__ import annotations

from hwq.fabric.lane_array import DSP_LATENCY, slice_rows_latency
from hwq.fabric.lane_form import LaneForm
from hwq.fabric.lane_netlist import has_netlist, lane_latency, row_latency
from hwq.network.graph import Network, Node
from hwq.network.ops import Add, BorderAffine, Conv, Lookup, Mul, Pool, Requantize, Saturating, Threshold, TopK
from hwq.numerics.rounding import Rounding
from hwq.plan.contraction import Contraction, contraction
from hwq.plan.domain import Domain, chunk_folds, encoding_domain, pool_domain, words_per_vector
from hwq.plan.geometry import Geometry
from hwq.plan.join import JoinForm
from hwq.plan.plan import StagePlan
from hwq.plan.stages import Stage
from hwq.plan.threshold import threshold_latency

__all__ = [
    "FANOUT",
    "READ_LATENCY",
    "accumulator_latency",
    "activation_latency",
    "argmax_latency",
    "border_latency",
    "broadcast_levels",
    "contraction_latency",
    "depthwise_latency",
    "elementwise_latency",
    "join_latency",
    "lane_cycles",
    "mvu_latency",
    "pool_latency",
    "requantize_latency",
    "row_control",
    "row_cycles",
    "threshold_bits",
    "topk_latency",
    "upsample_latency",
]

# A synchronous memory and its output register.
READ_LATENCY = 2
# Loads of one register in a broadcast tree.
FANOUT = 16


def broadcast_levels(leaves: int) -> int:
    """Register levels between a root register and ``leaves`` rows with at most :data:`FANOUT` loads each."""
    levels, reach = 0, FANOUT
    while reach < leaves:
        levels, reach = levels + 1, reach * FANOUT
    return levels


def requantize_latency(op: Requantize) -> int:
    """Operands, product, offset, half-even where asked for, clip."""
    return 4 + (op.rounding is Rounding.HALF_EVEN and op.shift > 0)


def threshold_bits(domain: Domain) -> int:
    """Width of a threshold of values of ``domain``: one more than the largest value never fires."""
    return Domain(domain.lo, domain.hi + 1).bits


def activation_latency(node: Node | None, domain: Domain, hold: int = 1) -> int:
    """Cycles of the staircase behind an accumulator, or of the map from its domain to integers where there is none.

    The constants of a channel stand for ``hold`` cycles from its value on.
    """
    if node is None:
        return 0 if domain.is_integer else 1
    assert isinstance(node.op, Threshold | Requantize)
    if isinstance(node.op, Threshold):
        return threshold_latency(node.op, threshold_bits(domain), hold)
    return requantize_latency(node.op)


def lane_cycles(form: LaneForm) -> int:
    """Cycles from operands to the raw sum of a lane, that of its circuit in the fabric where it has one."""
    return lane_latency(form) if has_netlist(form) else form.latency


def row_cycles(form: Contraction) -> int:
    """Cycles from operands to the accumulated value that includes them."""
    bits = form.row_bits
    if form.slice_word:
        return slice_rows_latency(form.lane, bits)
    return row_latency(form.lane, bits) if bits else lane_cycles(form.lane) + accumulator_latency(form.op, form.simd)


def row_control(form: Contraction) -> int:
    """Cycles from operands to the cycle in which the accumulator wants their control."""
    if not form.row_bits:
        return lane_cycles(form.lane)
    return row_cycles(form) - (DSP_LATENCY if form.slice_word else 1)


def contraction_latency(form: Contraction) -> int:
    """Cycles from the last operands of a vector to its code: lane, accumulator, activation."""
    if form.offsets is not None:
        return row_cycles(form) + 1
    return row_cycles(form) + activation_latency(form.behind, form.domain, form.words)


def accumulator_latency(op: Conv, simd: int) -> int:
    """Cycles from a raw sum of ``simd`` products to the accumulated value."""
    sf = words_per_vector(op, simd)
    if isinstance(op.accumulation, Saturating):
        return 2 if chunk_folds(op, simd) > 1 else 1
    return 1 if sf > 1 else 0


def mvu_latency(network: Network, stage: Stage, plan: StagePlan, geometry: Geometry) -> int:
    """L of an MVU stage in cycles: memory, register tree, lane, accumulator, activation."""
    op = stage.node.op
    assert isinstance(op, Conv)
    x = network.tensors[stage.source].encoding
    form = contraction(op, x, plan.simd, stage.activation, plan.multiplier, plan.accumulator, plan.pe)
    return READ_LATENCY + broadcast_levels(plan.pe) + contraction_latency(form)


def elementwise_latency(network: Network, stage: Stage, plan: StagePlan) -> int:
    """L of a stage that maps single codes: a staircase behind the memory of its constants, a table, constants of border classes."""
    if isinstance(stage.node.op, Lookup):
        return READ_LATENCY
    if isinstance(stage.node.op, BorderAffine):
        return border_latency(stage.node.op)
    return READ_LATENCY + activation_latency(stage.node, encoding_domain(network.tensors[stage.source].encoding))


def border_latency(op: BorderAffine) -> int:
    """L of constants of border classes: place to class, class to constants, product unless all scales are 1, sum."""
    return 2 * READ_LATENCY + 1 + bool((op.scale != 1).any())


def argmax_latency(network: Network, stage: Stage, plan: StagePlan) -> int:
    """L of an argmax stage in cycles: a tournament of ``pe`` lanes, then the best so far."""
    return (plan.pe - 1).bit_length() + 1


def topk_latency(network: Network, stage: Stage, plan: StagePlan) -> int:
    """L of a top-k stage in cycles: ``k`` ranks, each a tournament of ``pe`` lanes and a comparison with the best so far."""
    op = stage.node.op
    assert isinstance(op, TopK)
    return op.k * ((plan.pe - 1).bit_length() + 1)


def depthwise_latency(network: Network, stage: Stage, plan: StagePlan, geometry: Geometry) -> int:
    """L of a depthwise stage in cycles: that of an MVU of one column whose rows have activations of their own."""
    op = stage.node.op
    assert isinstance(op, Conv)
    form = contraction(op, network.tensors[stage.source].encoding, 1, stage.activation, plan.multiplier)
    return READ_LATENCY + contraction_latency(form)


def pool_latency(network: Network, stage: Stage, plan: StagePlan, geometry: Geometry) -> int:
    """L of a pool stage in cycles: memory, accumulator, the staircase behind a sum."""
    op = stage.node.op
    assert isinstance(op, Pool)
    if op.mode != "sum":
        return READ_LATENCY + 1
    return READ_LATENCY + 1 + activation_latency(stage.activation, pool_domain(op, network.tensors[stage.source].encoding))


def join_latency(network: Network, stage: Stage, plan: StagePlan) -> int:
    """L of a sum or product of streams in cycles: codes to value (see :class:`hwq.plan.join.JoinForm`), the staircase behind it."""
    op = stage.node.op
    assert isinstance(op, Add | Mul)
    form = JoinForm(op, tuple(network.tensors[s].encoding for s in stage.sources))
    return form.value_latency(READ_LATENCY) + activation_latency(stage.activation, form.domain)


def upsample_latency(network: Network, stage: Stage, plan: StagePlan) -> int:
    """L of an upsampling stage in cycles."""
    return READ_LATENCY
