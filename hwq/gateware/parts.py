"""The seam: repeated and foreign parts of a design, either in place (simulation) or as instances of modules emitted once."""

from __future__ import annotations

import gc
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, ClockSignal, Fragment, Instance, ResetSignal, Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

__all__ = ["Naming", "Part", "Parts", "Reference", "SeparateParts", "content_key", "convert_modules", "plain_name", "rtlil_module"]

GARBAGE = 1_000_000  # characters of RTLIL between two garbage collections: some hundred megabytes of netlists

Naming = Callable[[str, str, str], str]


def content_key(*values: object) -> str:
    """Twelve hexadecimal digits that stand for the content ``values``, the same in every run."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:12]


def plain_name(kind: str, hint: str, key: str) -> str:
    """The default module name: ``kind_hint``, reduced to letters, digits and underscores, and the key's first digits."""
    text = re.sub(r"\W+", "_", f"{kind}_{hint}", flags=re.ASCII).strip("_").lower()
    return f"{text}_{key[:8]}" if key else text


class Parts:
    """Builds parts in place: every use is a submodule of its own. What the Amaranth simulator needs."""

    def place(self, kind: str, hint: str, key: str, build: Callable[[], wiring.Component]) -> wiring.Component:
        """The part to add as a submodule and to connect.

        Parameters
        ----------
        kind
            ``stage``, ``pe``, ``lane``, ``row``, ``rows``, ``comparisons``, ``unrolled`` or ``rom``.
        hint
            Readable part of a module name: the user's layer for a stage, sizes for the others.
        key
            Stands for the content: parts of one kind and key are the same hardware.
        build
            Makes the component; called once a distinct part.
        """
        return build()


@dataclass(frozen=True, eq=False)
class Part:
    """A distinct part, to be emitted as a module of its own."""

    name: str
    kind: str
    component: wiring.Component


class Reference(wiring.Component):
    """An instance of module ``name`` with the ports of ``signature``, plus ``clk`` and ``rst``."""

    def __init__(self, name: str, signature: wiring.Signature) -> None:
        self.module_name = name
        super().__init__(signature)

    def elaborate(self, platform):
        ports = {}
        for path, member, value in self.signature.flatten(self):
            direction = "i" if member.flow is wiring.In else "o"
            ports[f"{direction}_{'__'.join(map(str, path))}"] = Value.cast(value)
        return Instance(self.module_name, i_clk=ClockSignal(), i_rst=ResetSignal(), **ports)


class SeparateParts(Parts):
    """Leaves an instance in place of every part and collects the distinct ones in :attr:`modules`.

    Parts are placed while their parent is elaborated: a collected part may bring further ones when it is converted
    (see :func:`convert_modules`).
    """

    def __init__(self, naming: Naming = plain_name) -> None:
        self.naming = naming
        self.modules: dict[str, Part] = {}

    def place(self, kind: str, hint: str, key: str, build: Callable[[], wiring.Component]) -> wiring.Component:
        name = self.naming(kind, hint, key)
        if name not in self.modules:
            self.modules[name] = Part(name, kind, build())
        return Reference(name, self.modules[name].component.signature)


def rtlil_module(component: wiring.Component, name: str, *, clocked: bool = True) -> str:
    """RTLIL of ``component`` as module ``name``; ``clocked`` gives it ports ``clk`` and ``rst`` whether it uses them or not."""
    fragment = Fragment.get(component, None)
    ports = {}
    if clocked:
        domain = ClockDomain("sync")
        fragment.add_domains(domain)
        ports = {"clk": (domain.clk, PortDirection.Input), "rst": (domain.rst, PortDirection.Input)}
    for path, member, value in component.signature.flatten(component):
        direction = PortDirection.Input if member.flow is wiring.In else PortDirection.Output
        ports["__".join(map(str, path))] = (Value.cast(value), direction)
    text, _ = rtlil.convert_fragment(fragment, ports, name, emit_src=False)
    return text


def convert_modules(
    top: wiring.Component,
    name: str,
    parts: SeparateParts,
    foreign: Callable[[Part], str | None] = lambda part: None,
) -> Mapping[str, str]:
    """RTLIL of ``top`` and of every distinct part by module name, in order of discovery, each part once.

    ``foreign`` may return the text of a part it writes itself (the caller keeps it apart from the RTLIL), else None.
    """
    with _rare_collections() as collect:
        texts = {name: rtlil_module(top, name, clocked=False)}
        pending = list(parts.modules)
        while pending:
            for module in pending:
                part = parts.modules[module]
                texts[module] = foreign(part) or rtlil_module(part.component, module)
                collect(len(texts[module]))
            pending = [m for m in parts.modules if m not in texts]
    return texts


@contextmanager
def _rare_collections() -> Iterator[Callable[[int], None]]:
    """No garbage collection but what the function given says: once so many characters of modules have been converted.

    Netlists are millions of objects that live until their module is written; Python would look through them again and again, in
    half of all the time.
    """
    converted, was_enabled = 0, gc.isenabled()

    def collect(characters: int) -> None:
        nonlocal converted
        converted += characters
        if converted > GARBAGE:
            converted = 0
            gc.collect()

    gc.disable()
    try:
        yield collect
    finally:
        if was_enabled:
            gc.enable()
