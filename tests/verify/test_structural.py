"""Designs whose lanes run as LUTs and carry chains: bit-exact and in the same cycles as their portable form, under stalls on both sides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwq.network.file import network_hash
from hwq.network.graph import Network
from hwq.network.ops import Conv, Window
from hwq.numerics.encoding import Integer
from hwq.plan.plan import StagePlan
from hwq.target.design import elaborate
from hwq.target.package import write_package
from hwq.verify.ladder import verify
from tests.gateware.cases import chain, dense, plan_of, requantizer, staircase
from tests.gateware.images import convolution, image_chain
from tests.target.designs import device, model_of

POWERS = (0, 1, -1, 2, -2, 4, -4, 8)


def two_dense() -> tuple[Network, list[StagePlan]]:
    rng = np.random.default_rng(5)
    layers = [dense(rng, 24, 8, "BIPOLAR"), staircase(rng, 8, "UINT2", reach=12), dense(rng, 8, 6, "TERNARY")]
    network = chain("BIPOLAR", 24, *layers)
    return network, [StagePlan("conv0", pe=4, simd=8, buffer=6), StagePlan("conv2", pe=3, simd=8, buffer=6)]


def convolution_with_padding() -> tuple[Network, list[StagePlan]]:
    rng = np.random.default_rng(6)
    conv = convolution(rng, 6, 4, Window((3, 3), padding=(1, 1, 1, 1)), "BIPOLAR")
    network = image_chain("UINT2", (5, 4, 4), conv, staircase(rng, 6, "UINT4", reach=40))
    return network, [StagePlan("conv0", pe=3, simd=4, buffer=40)]


def sums_in_slices() -> tuple[Network, list[StagePlan]]:
    rng = np.random.default_rng(7)
    layers = [dense(rng, 24, 6, "BIPOLAR"), staircase(rng, 6, "INT8", reach=12), dense(rng, 6, 3, "INT8")]
    network = chain("BIPOLAR", 24, *layers)
    stages = [StagePlan("conv0", pe=6, simd=8, buffer=6), StagePlan("conv2", pe=3, simd=2, buffer=6)]
    return network, [replace(stage, accumulator="dsp") for stage in stages]


def products_in_shared_slices() -> tuple[Network, list[StagePlan]]:
    """Four rows a slice, whose fields carry into each other; two rows a slice, the last row alone."""
    rng = np.random.default_rng(9)
    layers = [dense(rng, 12, 8, "INT4"), requantizer(rng, 8, "INT8", 4), dense(rng, 8, 5, "INT8")]
    network = chain("UINT4", 12, *layers)
    stages = [StagePlan("conv0", pe=4, simd=6, buffer=6), StagePlan("conv2", pe=5, simd=4, buffer=6)]
    return network, [replace(stage, multiplier="dsp") for stage in stages]


def weights_with_codes() -> tuple[Network, list[StagePlan]]:
    """Sums of two bases, and powers of two."""
    rng = np.random.default_rng(8)
    sums, powers = (Conv(rng.choice(v, shape), Integer(8, True)) for v, shape in (((-7, -3, 3, 7), (6, 1, 1, 12)), (POWERS, (4, 1, 1, 6))))
    network = chain("UINT3", 12, sums, staircase(rng, 6, "UINT3", reach=60), powers)
    return network, [StagePlan("conv0", pe=3, simd=5, buffer=6), StagePlan("conv2", pe=2, simd=4, buffer=6)]


SHARED = pytest.param(products_in_shared_slices, marks=pytest.mark.slow)


@pytest.mark.parametrize("build", [two_dense, convolution_with_padding, sums_in_slices, SHARED, weights_with_codes])
def test_cells_give_the_codes_of_the_golden_network_in_the_predicted_cycles(build, tmp_path: Path) -> None:
    network, stages = build()
    plan = replace(plan_of(network, *stages), network=network_hash(network))
    design = elaborate(network, plan)
    assert "HWQ_FABRIC" in design.verilog
    write_package(design, model_of(network), tmp_path / "d", device())
    certificate = verify(tmp_path / "d", engines=["batch"], frames=60, primitives="structural")
    assert certificate.bit_exact
    assert certificate.cycles_exact
    assert certificate.inputs["primitives"] == "structural"
