"""One style for all stages that can have it."""

from __future__ import annotations

from dataclasses import replace

from hwq.errors import InputError
from hwq.network.graph import Network
from hwq.plan.draft import PlanDraft
from hwq.plan.rules import STYLES, stage_breaches
from hwq.plan.stages import stages_of
from hwq.plan.summary import CONTRACTIONS, summary_of

__all__ = ["is_unrolled", "with_style"]


def with_style(network: Network, draft: PlanDraft, style: str) -> PlanDraft:
    """``draft`` with ``style`` for every layer of which it says none and that can have it; the others are planned as ever.

    ``auto`` lets the planner unroll what is cheaper so.

    Raises :class:`InputError` (PLAN-STYLE) for a style that does not exist, and where no layer can have it.
    """
    if style not in STYLES:
        raise InputError("PLAN-STYLE", f"there is no style {style!r}, expected one of {', '.join(STYLES)}", where="--style")
    stages = dict(draft.stages)
    chosen, hint = 0, None
    for stage in stages_of(network):
        given = draft.stage(stage.name)
        summary = summary_of(network, stage)
        if summary.kind not in CONTRACTIONS or given.style is not None:
            continue
        problems = list(stage_breaches(summary, replace(given, style=style)))
        if problems:
            hint = hint or f"{stage.name}: {problems[0].message}"
            continue
        stages[stage.name] = replace(given, style=style)
        chosen += 1
    if not chosen:
        raise InputError("PLAN-STYLE", f"no layer of {network.name} can be {style}", where="--style", hint=hint)
    return replace(draft, stages=stages)


def is_unrolled(network: Network, draft: PlanDraft) -> bool:
    """Whether ``draft`` has every layer of ``network`` unrolled, and there is one."""
    styles = [draft.stage(s.name).style for s in stages_of(network) if s.kind in CONTRACTIONS]
    return bool(styles) and all(s == "unrolled" for s in styles)
