"""Looks into a pickle without running it: which names it would import, which strings it holds."""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from typing import Any

__all__ = ["PickleScan", "scan_pickle"]

# What torch.save of plain data and tensors imports.
PLAIN = frozenset(
    {
        "collections.OrderedDict",
        "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_tensor_v3",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_qtensor",
        "torch.Size",
        "torch.serialization._get_layout",
        "torch.storage.UntypedStorage",
        "torch.storage.TypedStorage",
    }
)
DTYPES = frozenset(
    [
        "bool",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "int8",
        "int16",
        "int32",
        "int64",
        "float16",
        "bfloat16",
        "float32",
        "float64",
        "complex64",
        "complex128",
    ]
)
MAX_STRINGS = 100_000


@dataclass(frozen=True)
class PickleScan:
    """``imports`` in order, ``strings`` (the first 100 000), and whether the pickle ends before its time."""

    imports: tuple[str, ...]
    strings: frozenset[str]
    broken: bool

    @property
    def foreign(self) -> tuple[str, ...]:
        """Imports that plain data does not need."""
        return tuple(name for name in self.imports if not _is_plain(name))


def _is_plain(name: str) -> bool:
    package, _, attribute = name.rpartition(".")
    return name in PLAIN or (package == "torch" and (attribute.endswith("Storage") or attribute in DTYPES))


def scan_pickle(data: bytes) -> PickleScan:
    """Reads the opcodes of the first pickle in ``data``; nothing is imported or called."""
    scan = _Scan()
    try:
        for opcode, argument, _ in pickletools.genops(data):
            scan.step(opcode.name, argument)
    except (ValueError, IndexError, UnicodeDecodeError, OverflowError, EOFError):
        return PickleScan(tuple(scan.imports), frozenset(scan.strings), True)
    return PickleScan(tuple(scan.imports), frozenset(scan.strings), False)


class _Scan:
    """Follows strings through the memo, so that names put together on the stack are seen too."""

    def __init__(self) -> None:
        self.imports: list[str] = []
        self.strings: list[str] = []
        self.memo: dict[int, str] = {}
        self.last = ""  # the string on top of the stack, "" for anything else

    def step(self, name: str, argument: Any) -> None:
        if name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self.memo[len(self.memo) if argument is None else int(argument)] = self.last
            return
        self.last = ""
        if name in ("GLOBAL", "INST"):
            self.imports.append(str(argument).replace(" ", "."))
        elif name == "STACK_GLOBAL":
            self.imports.append(".".join(self.strings[-2:]))
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self._push(self.memo.get(int(argument), ""))
        elif "UNICODE" in name or "STRING" in name:
            self._push(str(argument))

    def _push(self, text: str) -> None:
        self.last = text
        if text and len(self.strings) < MAX_STRINGS:
            self.strings.append(text)
