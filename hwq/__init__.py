"""hwq: trained quantized neural networks become bit-exact FPGA dataflow designs.

>>> import hwq                                                   # doctest: +SKIP
>>> design = hwq.compile("model.pt", target="vu9p")              # doctest: +SKIP
>>> design.write("rtl_out/model")                                # doctest: +SKIP
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwq import quant as quant
    from hwq import zoo as zoo
    from hwq.api import Design as Design
    from hwq.api import compile as compile
    from hwq.api import elaborate as elaborate
    from hwq.api import estimate as estimate
    from hwq.api import plan as plan
    from hwq.api import read as read
    from hwq.api import save as save
    from hwq.api import synthesize as synthesize
    from hwq.api import verify as verify

__version__ = "0.1.0"
__all__ = ["Design", "compile", "elaborate", "estimate", "plan", "read", "save", "synthesize", "verify"]
_PACKAGES = ("quant", "zoo")  # what users build networks with: there without an import of its own


def __getattr__(name: str) -> Any:
    # Lazy: `hwq --help` and `import hwq.quant` must not load the whole compiler.
    if name in __all__:
        return getattr(import_module("hwq.api"), name)
    if name in _PACKAGES:
        return import_module(f"hwq.{name}")
    raise AttributeError(f"module 'hwq' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_PACKAGES})


class _Face(ModuleType):
    """This module. ``hwq.plan`` and ``hwq.verify`` are functions here, though packages of these names lie below."""

    def __setattr__(self, name: str, value: object) -> None:
        # The import system binds every package it loads to its parent; `from hwq.plan import ...` needs no such binding.
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Face
