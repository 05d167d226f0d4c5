from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from hwq.errors import InputError
from hwq.fabric.weight_code import WeightCode
from hwq.gateware.mvu import weight_words
from hwq.network.graph import Network, NetworkInput, Node
from hwq.network.ops import Conv, Pool, Window
from hwq.numerics.encoding import Bipolar, Integer
from hwq.plan import footprint
from hwq.plan.footprint import available_bytes, check_golden, check_memory, golden_bytes, writing_bytes
from hwq.plan.planner import plan_network
from hwq.target.boards import load_device
from tests.plan import convnets


@pytest.mark.parametrize("network", [convnets.cnv(), convnets.vgg_small(), convnets.resnet18(64)], ids=lambda n: n.name)
def test_the_golden_model_stays_within(network: Network) -> None:
    x = network.inputs[0]
    frame = np.zeros((1, *x.shape), np.int16)
    tracemalloc.start()
    network.run({x.name: frame})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Weights in the form that the golden model keeps them are a matter of the network, not of the frame.
    assert peak < max(golden_bytes(network).values()) + 9 * sum(n.op.weights.size for n in network.nodes if isinstance(n.op, Conv))


@pytest.mark.parametrize(("bits", "simd"), [(1, 64), (8, 32)])
def test_packing_weights_stays_within(bits: int, simd: int) -> None:
    encoding = Bipolar() if bits == 1 else Integer(8, True)
    op = Conv(np.ones((256, 3, 3, 256), np.int64), encoding)
    network = Network("n", (NetworkInput("x", (8, 8, 256), Bipolar()),), (Node("c", op, ("x",), ("y",)),), ("y",))
    tracemalloc.start()
    words = weight_words(op, WeightCode(encoding), 0, 16, simd)
    "".join(f"{w:x}\n" for w in words)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < writing_bytes(network)


def test_a_network_that_this_machine_cannot_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "available_bytes", lambda: 4 << 30)
    nodes = (Node("blur", Pool("sum", Window((3, 3))), ("x",), ("y",)),)
    network = Network("huge", (NetworkInput("x", (9000, 9000, 3), Integer(8, False)),), nodes, ("y",))
    with pytest.raises(InputError, match=r"one frame of blur in the golden model takes about [\d.]+ GB, this machine has") as caught:
        plan_network(network, load_device("vu9p"))
    assert caught.value.code == "OUT-OF-MEMORY"
    with pytest.raises(InputError, match=r"one frame of blur"):
        check_golden(network)


def test_padding_counts() -> None:
    op = Pool("sum", Window((3, 3), (3000, 3000), (9000, 9000, 0, 0)))
    network = Network("n", (NetworkInput("x", (4, 4, 64), Integer(8, False)),), (Node("p", op, ("x",), ("y",)),), ("y",))
    assert golden_bytes(network)["p"] > 8 * 9000 * 9000 * 64


def test_what_people_train_is_let_through() -> None:
    assert available_bytes() > 1 << 30
    check_memory(convnets.cnv())
