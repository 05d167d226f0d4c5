"""The public face of hwq: read, plan, elaborate, estimate, synthesize, verify, compile, save.

    model = hwq.read("model.onnx")                        what: integers with one exact meaning
    plan = hwq.plan(model, target="vu9p", fps=1e6)         how: folding, memories, FIFO depths
    design = hwq.elaborate(model, plan)                    the hardware that follows
    design.write("rtl_out/model")                          Verilog and all around it
    certificate = hwq.verify("rtl_out/model")              proof, bit by bit

or ``hwq.compile("model.onnx", target="vu9p").write("rtl_out/model")``.
"""

from __future__ import annotations

from hwq.api.building import Design, compile, elaborate, estimate, plan
from hwq.api.reading import read, save
from hwq.api.synthesis import synthesize
from hwq.api.verification import verify

__all__ = ["Design", "compile", "elaborate", "estimate", "plan", "read", "save", "synthesize", "verify"]
