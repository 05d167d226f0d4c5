"""Rules of plans, stage kind by stage kind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hwq.errors import Problems
from hwq.network.graph import Network
from hwq.network.ops import Split
from hwq.plan.draft import FifoDraft, PlanDraft, StageDraft
from hwq.plan.planner import plan_network
from hwq.plan.rules import breaches, device_breaches
from hwq.plan.stages import stages_of
from hwq.target.boards import load_device
from tests.plan import convnets


def found(network: Network, stage: str, **fields: object) -> list[str]:
    """Breaches of a draft that fixes ``fields`` of the first stage whose name begins so."""
    name = next(s.name for s in stages_of(network) if s.name.startswith(stage))
    return [str(b) for b in breaches(network, PlanDraft(stages={name: StageDraft(name, **fields)}))]  # type: ignore[arg-type]


def grouped() -> Network:
    b = convnets.Builder("grouped")
    x = b.conv(b.input(6, 6, 8, convnets.TWO_BITS), 12, 3, groups=4)
    return b.network(b.conv(x, 3, 6, p=0, act=False))


def widened() -> Network:
    """Depthwise with a multiplier of 2, then a split."""
    b = convnets.Builder("widened")
    x = b.conv(b.input(6, 6, 4, convnets.TWO_BITS), 8, 3, groups=4)
    b.nodes.append(convnets.Node("split", Split((2, 6)), (x,), ("a", "b")))
    return b.network("a", "b")


GOOD = [
    (convnets.residual(), "conv0", {"pe": 5, "simd": 2, "pixels": 4}),
    (convnets.residual(), "conv8", {"pixels": 4}),
    (grouped(), "conv0", {"pe": 3, "simd": 2, "pixels": 2}),
    (widened(), "conv0", {"pe": 6, "pixels": 3}),
    (widened(), "split", {"pe": 2, "pixels": 2}),
    (widened(), "split", {"pe": 8}),
    (convnets.inception(), "concat", {"pe": 8, "pixels": 2}),
    (convnets.inception(), "concat", {"pe": 32}),
    (convnets.inception(), "pool", {"pe": 3, "pixels": 8, "buffer_memory": "ultra"}),
    (convnets.residual(), "add", {"pe": 4, "pixels": 8, "constants": "block"}),
    (convnets.unet(), "up", {"pe": 8, "buffer": 4}),
    (convnets.audio(), "conv0", {"pixels": 64}),
]
BAD = [
    (convnets.residual(), "conv0", {"pixels": 3}, "pixels is 3, expected a divisor of 8 (images 8 pixels wide)"),
    (convnets.residual(), "conv8", {"pixels": 8}, "expected a divisor of 4 (images 8 and 4 pixels wide)"),
    (convnets.residual(), "conv0", {"simd": 4}, "simd is 4, expected 1..3 (a tap has 3 channels)"),
    (convnets.residual(), "conv2", {"buffer": 17, "simd": 8, "pe": 8}, "buffer is 17, expected 19"),
    (convnets.residual(), "conv2", {"memory": "logic", "pe": 4}, "leave 9 x 2 folds"),
    (convnets.residual(), "conv2", {"buffer_memory": "uram"}, "buffer_memory is 'uram'"),
    (convnets.residual(), "conv2", {"constants": "ultra"}, "constants is 'ultra'"),
    (convnets.residual(), "add", {"simd": 2}, "only layers have simd"),
    (grouped(), "conv0", {"simd": 3}, "simd is 3, expected 1..2"),
    (grouped(), "conv0", {"pe": 2}, "pe is 2, expected a divisor of the 3 channels of a group"),
    (grouped(), "conv0", {"pe": 4}, "a group has 3 output channels"),
    (widened(), "conv0", {"pe": 3}, "pe is 3, expected a multiple of the 2 outputs of a channel"),
    (widened(), "conv0", {"pe": 9}, "pe is 9, expected 1..8"),
    (widened(), "split", {"pe": 3}, "expected a divisor of 2, 6, or all 8 channels"),
    (convnets.inception(), "concat", {"pe": 16}, "expected a divisor of 8, 16, 8, or all 32 channels"),
    (convnets.unet(), "up", {"pixels": 2}, "stages of kind upsample take one"),
    (convnets.unet(), "up", {"buffer": 3}, "a row is read over"),
]


@pytest.mark.parametrize(("network", "stage", "fields"), GOOD)
def test_what_can_be_built_is_let_through(network: Network, stage: str, fields: dict[str, object]) -> None:
    assert found(network, stage, **fields) == []


@pytest.mark.parametrize(("network", "stage", "fields", "message"), BAD)
def test_each_breach_is_a_sentence(network: Network, stage: str, fields: dict[str, object], message: str) -> None:
    (breach,) = found(network, stage, **fields)
    assert message in breach


def test_ultra_ram_needs_a_device_that_has_it() -> None:
    draft = PlanDraft(
        stages={"a": StageDraft("a", buffer_memory="ultra"), "b": StageDraft("b", buffer_memory="block")},
        fifos={"f": FifoDraft("f", 8, "ultra")},
    )
    assert [str(b).split(":")[0] for b in device_breaches(draft, load_device("pynq-z2"))] == ["stage a", "fifo f"]
    assert not list(device_breaches(draft, load_device("vu9p")))


def test_a_fifo_may_hold_images_but_no_nonsense() -> None:
    network = convnets.residual(64)
    skip, other = "act1_y.branch1.fifo", "conv18.converter"
    # The skip carries 64 x 64 pixels of 8 channels, in words of two.
    draft = PlanDraft(
        stages={"conv0": StageDraft("conv0", pe=2)}, fifos={skip: FifoDraft(skip, 8 * 64 * 64 * 4), other: FifoDraft(other, 9)}
    )
    assert not breaches(network, draft)
    for name, depth in ((skip, 8 * 64 * 64 * 4 + 1), (skip, 1 << 20), (other, 1 << 20), (other, 0)):
        (breach,) = breaches(network, replace(draft, fifos={name: FifoDraft(name, depth)}))
        assert breach.where == f"fifo {name}"
        assert f"depth is {depth}, expected 1..{8 * 64 * 64 * (4 if name == skip else 8)} (" in breach.message
    (breach,) = breaches(network, PlanDraft(fifos={skip: FifoDraft(skip, 3, "logic")}))
    assert "memory is 'logic'" in breach.message


def test_a_fifo_of_a_small_network_is_no_deeper_than_a_few_thousand_words() -> None:
    skip = "act1_y.branch1.fifo"
    (breach,) = breaches(convnets.residual(8, 4), PlanDraft(fifos={skip: FifoDraft(skip, 1 << 20)}))
    assert str(breach) == (f"fifo {skip}: depth is 1048576, expected 1..4096 (a frame is 256 words; leave it out to have it chosen)")


def test_an_input_that_goes_out_as_it_came_is_no_hardware() -> None:
    network = convnets.residual()
    through = replace(network, outputs=(*network.outputs, "x"))
    assert [str(b).split(".")[0] for b in breaches(through, PlanDraft())] == ["x: this input is also an output, which no layer computes"]
    with pytest.raises(Problems, match=r"x: this input is also an output"):
        plan_network(through, load_device("vu9p"))


def test_taps_of_a_saturating_window_are_whole_words() -> None:
    from hwq.network.ops import Saturating

    network = convnets.residual()
    conv2 = network.node("conv2")
    op = replace(conv2.op, accumulation=Saturating(8, 12))  # type: ignore[call-arg]
    nodes = tuple(replace(n, op=op) if n.name == "conv2" else n for n in network.nodes)
    changed = replace(network, nodes=nodes)
    assert "simd is 8; the accumulator saturates every 12 products" in found(changed, "conv2", simd=8)[0]
    assert "a tap has 8 channels" in found(changed, "conv2", simd=3)[0]
    assert found(changed, "conv2", simd=4) == []
