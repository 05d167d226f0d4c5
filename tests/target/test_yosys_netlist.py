"""Netlists of Yosys counted by hand, and the same circuit counted as its own netlist."""

from __future__ import annotations

import json
import random
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hwq.fabric.simulate import Simulator
from hwq.fabric.sites import Sites, count_sites, sites_of
from hwq.target.fabric_text import module_text, structural_body
from hwq.target.synthesis import synthesize
from hwq.target.tools import yosys
from hwq.target.yosys_netlist import cells_of_module, netlist_of_module, submodules
from tests.target.fabric import medley


def cell(kind: str, parameters: dict[str, str] | None = None, directions: dict[str, str] | None = None, **ports: Any) -> dict[str, Any]:
    connections = {port: bits if isinstance(bits, list) else [bits] for port, bits in ports.items()}
    return {"type": kind, "parameters": parameters or {}, "connections": connections, "port_directions": directions or {}}


def module(inputs: list[Any], outputs: list[Any], *cells: dict[str, Any]) -> dict[str, Any]:
    ports = {"i": {"direction": "input", "bits": inputs}, "o": {"direction": "output", "bits": outputs}}
    return {"attributes": {}, "ports": ports, "cells": {f"c{k}": c for k, c in enumerate(cells)}}


def counted(*cells: dict[str, Any], outputs: list[Any]) -> Sites:
    return count_sites(cells_of_module({"top": module(list(range(2, 20)), outputs, *cells)}, "top"))


XOR2 = {"INIT": "0110"}


def test_an_inverter_disappears_into_the_luts_that_read_it() -> None:
    inverter, lut = cell("INV", I=2, O=20), cell("LUT2", XOR2, I0=20, I1=3, O=21)
    assert (counted(inverter, lut, outputs=[21]).luts, counted(inverter, lut, outputs=[21]).depth) == (1, 1)
    both = counted(inverter, lut, outputs=[20, 21])
    assert (both.luts, both.inverters, both.cells) == (1, 1, 1)


def test_pins_that_do_not_matter_or_are_constant_do_not_count() -> None:
    # Of six pins three are constant and one is ignored: the two that are left share with three others.
    lut = cell("LUT6", {"INIT": f"{0x0000000000006666:064b}"}, I0=2, I1=3, I2=4, I3="0", I4="0", I5="0", O=20)
    other = cell("LUT3", {"INIT": "10010110"}, I0=5, I1=6, I2=7, O=21)
    assert counted(lut, other, outputs=[20, 21]).luts == 1


def test_linked_carry4_are_one_chain() -> None:
    luts = [cell("LUT2", XOR2, I0=2 + k, I1=10 + k, O=20 + k) for k in range(8)]
    low = cell("CARRY4", S=[20, 21, 22, 23], DI=[2, 3, 4, 5], CI="0", CYINIT="1", O=[30, 31, 32, 33], CO=[40, 41, 42, 43])
    high = cell("CARRY4", S=[24, 25, 26, 27], DI=[6, 7, 8, 9], CI=43, CYINIT="0", O=[34, 35, 36, 37], CO=[44, 45, 46, 47])
    sites = counted(*luts, low, high, outputs=[*range(30, 38)])
    assert (sites.luts, sites.carry, sites.carry_cells, sites.conflicts) == (8, 1, 2, 0)


def test_a_dual_carry8_is_two_chains() -> None:
    luts = [cell("LUT2", XOR2, I0=2 + k, I1=10 + k, O=20 + k) for k in range(8)]
    ports = {"S": [*range(20, 28)], "DI": [*range(2, 10)], "O": [*range(30, 38)], "CO": [*range(40, 48)]}
    dual = cell("CARRY8", {"CARRY_TYPE": "DUAL_CY4"}, CI="0", CI_TOP="0", **ports)
    assert counted(*luts, dual, outputs=[30, 34]).carry_positions == 2
    single = cell("CARRY8", {"CARRY_TYPE": "SINGLE_CY8"}, CI="0", CI_TOP="0", **ports)
    assert counted(*luts, single, outputs=[30, 34]).carry_positions == 5


def test_memories_slices_and_multiplexers_are_listed_apart() -> None:
    directions = {"D": "input", "O": "output", "P": "output"}
    blocks = [cell(kind, {}, directions, D=[2], O=[30 + k]) for k, kind in enumerate(("SRL16E", "RAM32M16", "URAM288", "RAMB18E2"))]
    slice_ = cell("DSP48E2", {"PREG": f"{1:032b}", "MREG": f"{0:032b}"}, directions, D=[2], P=[40])
    flop = cell("FDRE", C=2, CE="1", R="0", D=3, Q=41)
    blocks.append(cell("MUXF7", {}, {"O": "output"}, I0=2, I1=3, S=4, O=34))
    sites = counted(*blocks, slice_, flop, outputs=[*range(30, 35), 40, 41])
    # A LUT routes each data input to the multiplexer.
    assert (sites.luts, sites.lutram, sites.muxes, sites.bram36, sites.uram, sites.dsp, sites.ff) == (2, 9, 1, 0.5, 1, 1, 1)


def hierarchy() -> dict[str, Any]:
    lut = cell("LUT2", XOR2, I0=2, I1=3, O=4)
    inner = module([2, 3], [4], lut)
    wrapper = module([2], [3], cell("INV", I=2, O=3))
    own = cell("top_hwq_lut6_2", {"INIT": "1" + "0" * 63}, **{f"I{k}": 10 + k for k in range(6)}, O6=26, O5=27)
    instances = [cell("inner", i=[k, k + 1], o=[20 + k]) for k in (2, 3, 4)]
    top = module([*range(2, 20)], [22, 23, 25, 26], *instances, cell("wrapper", i=[24], o=[25]), own)
    return {"top": top, "inner": inner, "wrapper": wrapper}


def test_submodules_are_looked_into_or_left_out() -> None:
    modules = hierarchy()
    flat = count_sites(cells_of_module(modules, "top"))
    # The three LUT2 pair up, the inverter of the last one's output is a LUT of its own, O6 alone is one of six inputs.
    assert (flat.cells, flat.inverters, flat.luts) == (4, 1, 3)
    alone = count_sites(cells_of_module(modules, "top", flat=False))
    assert (alone.cells, alone.luts) == (1, 1)
    assert submodules(modules, "top") == Counter({"inner": 3, "wrapper": 1})


def test_what_a_submodule_reads_is_needed() -> None:
    modules = hierarchy()
    lut = cell("LUT2", XOR2, I0=10, I1=11, O=2)
    modules["top"]["cells"]["more"] = lut
    assert count_sites(cells_of_module(modules, "top", flat=False)).cells == 2


@pytest.mark.skipif(yosys() is None, reason="needs Yosys")
def test_an_own_netlist_counts_as_its_synthesized_text_does() -> None:
    netlist = medley(1)
    text = module_text(netlist, "part", structural_body(netlist, "top", vendor=True))
    modules = synthesize({"part.v": text}, "part", flatten=True)
    assert count_sites(cells_of_module(modules, "part")) == sites_of(netlist)
    again = netlist_of_module(modules, "part")
    rng = random.Random(3)
    runs = [Simulator(n, 8) for n in (netlist, again)]
    for _ in range(6):
        ports = {"x": [rng.getrandbits(7) for _ in range(8)], "e": [rng.getrandbits(1) for _ in range(8)], "clk": [0] * 8, "rst": [0] * 8}
        first, second = (run.cycle({k: v for k, v in ports.items() if k in run.netlist.inputs}) for run in runs)
        assert {k: v.tolist() for k, v in first.items()} == {k: v.tolist() for k, v in second.items()}


@pytest.mark.skipif(yosys() is None, reason="needs Yosys")
def test_cells_of_a_synthesized_subtractor(tmp_path: Path) -> None:
    tool = yosys()
    assert tool is not None
    (tmp_path / "t.v").write_text(
        "module t(input clk, input [7:0] a, b, output reg [8:0] y); always @(posedge clk) y <= a - b; endmodule\n"
    )
    script = "read_verilog t.v; synth_xilinx -family xcup -noiopad -noclkbuf -nosrl -flatten -top t; write_json t.json"
    subprocess.run([*tool.command, "-q", "-p", script], cwd=tmp_path, check=True)
    sites = count_sites(cells_of_module(json.loads((tmp_path / "t.json").read_text())["modules"], "t"))
    # Eight bits and the borrow, whose S is a constant; Yosys makes the lowest difference a second time, beside its S.
    assert (sites.luts, sites.route_throughs, sites.carry_positions, sites.carry, sites.ff, sites.depth) == (9, 1, 9, 2, 9, 1)
