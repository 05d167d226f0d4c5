"""Writes in place: which tensors of an exported graph share memory, so that a write to one changes the others."""

from __future__ import annotations

from collections.abc import Sequence

from hwq.errors import InputError
from hwq.frontend.exported import ExportedNode, Ref

__all__ = ["Aliases", "is_in_place"]

# Operators whose results are the same memory as their first operand, seen otherwise.
SHAPES = ("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "expand")
TURNS = ("t", "numpy_T", "transpose", "swapaxes", "swapdims", "permute", "movedim", "moveaxis")
CUTS = ("slice", "narrow", "select", "split", "split_with_sizes", "chunk", "tensor_split", "unbind")
VIEWS = frozenset((*SHAPES, *TURNS, *CUTS, "detach", "alias"))
# Operators that may give their operand back: the same memory, whole.
SAME = frozenset(("contiguous", "dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout", "to", "positive"))


def is_in_place(target: str) -> bool:
    """Whether ``aten.relu_.default`` writes to its first operand."""
    op = target.split(".")[1] if target.count(".") else target
    return op.endswith("_") and not op.endswith("__")


class Aliases:
    """Which tensors of ``nodes``, up to the graph's ``outputs``, share memory."""

    def __init__(self, nodes: Sequence[ExportedNode], outputs: Sequence[str]) -> None:
        self._whole: dict[str, str] = {}  # tensor -> the first name of the very same tensor
        self._memory: dict[str, str] = {}  # tensor -> the first name of anything in its memory
        self._last = dict.fromkeys(outputs, len(nodes))
        for place, node in enumerate(nodes):
            for value in node.arguments.values():
                for part in value if isinstance(value, list) else [value]:
                    if isinstance(part, Ref):
                        self._last[part.name] = max(place, self._last.get(part.name, 0))
            self._record(node)

    def _record(self, node: ExportedNode) -> None:
        subject = next(iter(node.arguments.values()), None)
        op = node.target.split(".")[1] if node.target.count(".") else ""
        same = is_in_place(node.target) or op in SAME
        if not isinstance(subject, Ref) or not (same or op in VIEWS):
            return
        for output in node.outputs:
            if output:
                self._memory[output] = self._memory.get(subject.name, subject.name)
                self._whole[output] = self._whole.get(subject.name, subject.name) if same else output

    def written(self, place: int, node: ExportedNode) -> list[str]:
        """Other names of what ``node``, at ``place``, writes to.

        Raises :class:`InputError` where a view of it is read afterwards: its elements would change unseen.
        """
        subject = next(iter(node.arguments.values()))
        assert isinstance(subject, Ref)
        whole, memory = (d.get(subject.name, subject.name) for d in (self._whole, self._memory))
        for name, root in {memory: memory, **self._memory}.items():
            if root == memory and self._whole.get(name, name) != whole and self._last.get(name, -1) > place:
                raise InputError(
                    "IN-PLACE",
                    f"{node.target} writes into a tensor of which another part or view is read later",
                    where=node.layer or None,
                    hint="Write it without the underscore or inplace=True, or export again after program.run_decompositions({})",
                )
        return [name for name, root in {whole: whole, **self._whole}.items() if root == whole and name not in node.outputs]
