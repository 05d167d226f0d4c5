"""Datapath depths: cycles from the completing firing of a stage to the write into its Egress. Gateware is built to these."""

from __future__ import annotations

from hwq.network.graph import Network
from hwq.plan.plan import StagePlan
from hwq.plan.stages import Stage

__all__ = ["argmax_latency", "elementwise_latency", "mvu_latency"]


def mvu_latency(network: Network, stage: Stage, plan: StagePlan) -> int:
    """L of an MVU stage in cycles."""
    return 5


def elementwise_latency(network: Network, stage: Stage, plan: StagePlan) -> int:
    """L of a threshold or requantize stage in cycles."""
    return 2


def argmax_latency(network: Network, stage: Stage, plan: StagePlan) -> int:
    """L of an argmax stage in cycles."""
    return 2
