"""Pending functions as host programs: the chain of steps that the host runs before the first and after the last integer."""

from __future__ import annotations

from typing import Any

from hwq.errors import InputError
from hwq.frontend.expression import Expr
from hwq.network.host import ELEMENTWISE, HostStep

__all__ = ["before_rounding", "host_steps"]


def host_steps(expr: Expr) -> tuple[HostStep, ...]:
    """Steps that compute ``expr`` from its leaf, on tensors (N, 1, 1, C).

    Raises :class:`InputError` where the function is no chain: a host program has no second operand.
    """
    steps: list[HostStep] = []
    while expr.op != "leaf":
        inner = _silu_operand(expr)
        if inner is not None:
            steps.append(HostStep("silu"))
            expr = inner
            continue
        if len(expr.args) != 1 or expr.op not in ELEMENTWISE:
            label = next(reversed(expr.labels), None)
            raise InputError(
                "HOST-CHAIN",
                f"the host program would have to use one tensor twice ({expr.op})",
                where=label,
                hint="Put a quantizer behind it, so that it becomes a table in hardware, or end the model before it",
            )
        steps.append(HostStep(expr.op, expr.constant, dict(expr.attributes)))
        expr = expr.args[0]
    return tuple(reversed(steps))


def _silu_operand(expr: Expr) -> Expr | None:
    """x where ``expr`` is ``x * sigmoid(x)``."""
    if expr.op == "mul" and len(expr.args) == 2:
        for x, gate in (expr.args, expr.args[::-1]):
            if gate.op == "sigmoid" and gate.args[0] == x:
                return x
    return None


def before_rounding(core: Expr) -> dict[str, Any]:
    """The steps in front of what makes integers, as plain data, and where between integers its ties lie; empty where not known."""
    e = core
    while e.op in ("sub", "add", "clip") and len(e.args) == 1:
        e = e.args[0]
    if len(e.args) != 1 or e.op not in ("round", "bipolar", "ge", "gt", "le", "lt"):
        return {}
    half = e.op == "round" and str(e.attributes["mode"]).startswith("half")
    shifted = e.args[0] if e.constant is None else e.args[0].then("sub", e.constant)
    try:
        steps = host_steps(shifted)
    except InputError:
        return {}
    plain = [{"op": s.op, "constant": None if s.constant is None else s.constant.tolist(), "attributes": dict(s.attributes)} for s in steps]
    return {"before": plain, "tie": 0.5 if half else 0.0}
