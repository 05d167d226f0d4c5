"""Looks into a pickle without running it: which names it would import, which strings it holds."""

from __future__ import annotations

import pickletools
from dataclasses import dataclass

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
    imports: list[str] = []
    seen: list[str] = []
    memo: dict[int, str] = {}
    last: str | None = None
    try:
        for opcode, argument, _ in pickletools.genops(data):
            name = opcode.name
            if name in ("GLOBAL", "INST"):
                imports.append(str(argument).replace(" ", "."))
            elif name == "STACK_GLOBAL":
                imports.append(".".join(seen[-2:]))
            elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
                if last is not None:
                    memo[len(memo) if argument is None else int(argument)] = last
                elif argument is None:
                    memo[len(memo)] = ""
                continue
            elif name in ("GET", "BINGET", "LONG_BINGET") and memo.get(int(argument)):
                seen.append(memo[int(argument)])
            last = argument if (isinstance(argument, str) and "UNICODE" in name) or "STRING" in name else None
            if last is not None and len(seen) < MAX_STRINGS:
                seen.append(str(last))
    except (ValueError, IndexError, UnicodeDecodeError, OverflowError, EOFError):
        return PickleScan(tuple(imports), frozenset(seen), True)
    return PickleScan(tuple(imports), frozenset(seen), False)
