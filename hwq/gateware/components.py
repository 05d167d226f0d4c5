"""Which component builds a unit of the dataflow, and on which of its ports an edge ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from amaranth.lib import wiring

from hwq.gateware.argmax import ArgMaxStage
from hwq.gateware.axi_in import AxiIngress
from hwq.gateware.axi_out import AxiEgress
from hwq.gateware.concat import ConcatStage
from hwq.gateware.converter import ConverterStage
from hwq.gateware.depthwise import DepthwiseStage
from hwq.gateware.elementwise import ElementwiseStage
from hwq.gateware.fifo import DeepFifo
from hwq.gateware.fifo import Fifo as FifoStage
from hwq.gateware.fork import ForkStage
from hwq.gateware.join import JoinStage
from hwq.gateware.mvu import MvuStage
from hwq.gateware.pad import PadStage
from hwq.gateware.parts import Parts
from hwq.gateware.pool import PoolStage
from hwq.gateware.split import SplitStage
from hwq.gateware.streams import word_layout
from hwq.gateware.topk import TopKStage
from hwq.gateware.unrolled import UnrolledConvStage, UnrolledDenseStage
from hwq.gateware.upsample import UpsampleStage
from hwq.network.graph import Network
from hwq.plan.dataflow import Dataflow
from hwq.plan.moving_units import ArgMaxUnit, ConcatUnit, PadUnit, SplitUnit, TopKUnit
from hwq.plan.units import (
    AxiIn,
    AxiOut,
    Converter,
    Depthwise,
    Elementwise,
    Fifo,
    Fork,
    Join,
    Mvu,
    PoolUnit,
    Unit,
    UnrolledConv,
    UnrolledDense,
    UpsampleUnit,
)

__all__ = ["builder_of", "input_port", "output_port"]

Builder = Callable[[], wiring.Component]
STAGES = {
    Mvu: MvuStage,
    Depthwise: DepthwiseStage,
    UnrolledConv: UnrolledConvStage,
    UnrolledDense: UnrolledDenseStage,
    PoolUnit: PoolStage,
    Elementwise: ElementwiseStage,
}


def builder_of(unit: Unit, dataflow: Dataflow, network: Network, parts: Parts) -> Builder:
    """What makes the component of ``unit``; raises ``TypeError`` where there is none."""
    tensors = network.tensors
    sources, targets = [dataflow.edges[e] for e in unit.inputs], [dataflow.edges[e] for e in unit.outputs]
    match unit:
        case AxiIn():
            return partial(AxiIngress, unit, targets[0], tensors[unit.tensor].encoding)
        case AxiOut():
            return partial(AxiEgress, unit, sources[0], signed=tensors[unit.tensor].encoding.signed)
        case Converter():
            return partial(ConverterStage, unit, sources[0], targets[0])
        case Fifo() | Fork():
            return _plumbing(unit, dataflow)
        case UpsampleUnit():
            return partial(UpsampleStage, unit, sources[0], targets[0])
        case SplitUnit():
            return partial(SplitStage, unit, sources[0], targets)
        case (Mvu() | Depthwise() | UnrolledConv() | UnrolledDense() | PoolUnit() | Elementwise()) | (
            Join() | ConcatUnit() | PadUnit() | ArgMaxUnit() | TopKUnit()
        ):
            xs = [tensors[s].encoding for s in unit.stage.sources]
            out = tensors[unit.stage.target].encoding
            match unit:
                case Join():
                    return partial(JoinStage, unit, sources, targets[0], xs, out, parts)
                case ConcatUnit():
                    return partial(ConcatStage, unit, sources, targets[0], xs, out)
                case PadUnit():
                    return partial(PadStage, unit, sources[0], targets[0], xs[0], out)
                case ArgMaxUnit():
                    return partial(ArgMaxStage, unit, sources[0], targets[0], xs[0])
                case TopKUnit():
                    return partial(TopKStage, unit, sources[0], targets[0], xs[0])
                case _:
                    return partial(STAGES[type(unit)], unit, sources[0], targets[0], xs[0], out, parts)
    raise TypeError(f"no component for {unit}")


def _plumbing(unit: Fifo | Fork, dataflow: Dataflow) -> Builder:
    edge = dataflow.edges[unit.inputs[0]]
    shape = word_layout(edge.bits, edge.elements, edge.pixels)
    if isinstance(unit, Fork):
        return partial(ForkStage, shape, len(unit.outputs))
    return partial(FifoStage, shape, unit.depth) if unit.memory == "lutram" else partial(DeepFifo, shape, unit.depth, unit.memory)


def input_port(unit: Unit, edge: str) -> str:
    """Name of the port of ``unit`` that reads ``edge``."""
    return f"i{unit.inputs.index(edge)}" if isinstance(unit, Join | ConcatUnit) else "i"


def output_port(unit: Unit, edge: str) -> str:
    """Name of the port of ``unit`` that writes ``edge``."""
    return f"o{unit.outputs.index(edge)}" if isinstance(unit, Fork | SplitUnit) else "o"
