"""Names of nets: the cycle they stand in, and what they are."""

from __future__ import annotations

from hwq.fabric.netlist import Netlist
from hwq.target.net_names import net_names, stages


def accumulator() -> Netlist:
    """x through one register, added up in two bits; ``valid`` holds."""
    n = Netlist()
    x, (valid,) = n.input("x", 2), n.input("valid", 1)
    front = [n.flop(bit) for bit in x]
    total = n.register(2)
    positions = [n.position(0b0110, 0b1010, f, q) for f, q in zip(front, total, strict=True)]
    o, _ = n.chain([s for s, _ in positions], [di for _, di in positions], 0)
    n.close(total, o, enable=valid)
    n.output("total", total)
    return n


def test_an_accumulator_counts_as_one_cycle_and_control_as_none() -> None:
    n = accumulator()
    found = stages(n)
    assert [found[bit >> 1] for bit in n.inputs["x"]] == [0, 0]
    assert n.inputs["valid"][0] >> 1 not in found
    assert [found[bit >> 1] for bit in n.outputs["total"]] == [2, 2]


def test_names_tell_port_register_and_place_in_a_chain() -> None:
    names = net_names(accumulator()).values()
    assert {"x[0]", "x[1]", "valid", "s2_total_0", "s2_total_1", "s1_sum0_0", "s1_sum0_1", "s1_carry0_0"} <= set(names)
    assert sum(name.startswith("s1_r") for name in names) == 2
    assert len(set(names)) == len(names)


def test_a_circuit_without_registers_names_no_cycle() -> None:
    n = Netlist()
    a, b = n.input("a", 2)
    n.output("y", [n.lut(lambda p, q: p & q, a, b)])
    assert set(net_names(n).values()) == {"1'b0", "a[0]", "a[1]", f"n{n.outputs['y'][0] >> 1}"}
