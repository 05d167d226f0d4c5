"""One style for all stages that can have it."""

from __future__ import annotations

from dataclasses import replace

from hwq.errors import InputError
from hwq.network.graph import Network
from hwq.plan.arithmetic import arithmetic_breaches
from hwq.plan.draft import PlanDraft, StageDraft
from hwq.plan.rules import STYLES, stage_breaches
from hwq.plan.stages import Stage, stages_of
from hwq.plan.summary import CONTRACTIONS, summary_of

__all__ = ["with_style"]


def with_style(network: Network, draft: PlanDraft, style: str, *, replaces: bool = True) -> PlanDraft:
    """``draft`` with ``style`` for every layer that can have it; the others are planned as ever.

    ``auto`` lets the planner unroll what is cheaper so. A layer of which ``draft`` says another style loses it where ``replaces`` (an
    option goes before a plan), and with it what went with that style: its memory of weights; its lanes where one of the two is
    unrolled or they break a rule now; its depths, and those of FIFOs between stages, which follow the rates.

    Raises :class:`InputError` (PLAN-STYLE) for a style that does not exist, and where no layer can have it.
    """
    if style not in STYLES:
        raise InputError("PLAN-STYLE", f"there is no style {style!r}, expected one of {', '.join(STYLES)}", where="--style")
    stages, fifos = dict(draft.stages), draft.fifos
    chosen, hint = 0, None
    for stage in stages_of(network):
        given = draft.stage(stage.name)
        if stage.kind not in CONTRACTIONS or (given.style is not None and not replaces):
            continue
        wanted, problem = _restyled(network, stage, given, style)
        if problem:
            hint = hint or f"{stage.name}: {problem}"
            continue
        if given.style not in (None, style):
            fifos = {}
        stages[stage.name] = wanted
        chosen += 1
    if not chosen:
        raise InputError("PLAN-STYLE", f"no layer of {network.name} can be {style}", where="--style", hint=hint)
    return replace(draft, stages=stages, fifos=fifos)


def _restyled(network: Network, stage: Stage, given: StageDraft, style: str) -> tuple[StageDraft, str | None]:
    """``given`` in ``style``, and why a stage cannot be so."""
    summary = summary_of(network, stage)

    def problem(wanted: StageDraft) -> str | None:
        found = [*stage_breaches(summary, wanted), *arithmetic_breaches(network, stage, summary, wanted)]
        return found[0].message if found else None

    wanted = replace(given, style=style)
    if given.style in (None, style):
        return wanted, problem(wanted)
    if "unrolled" not in (given.style, style):
        kept = replace(wanted, memory=None, buffer=None, depth=None)
        if problem(kept) is None:
            return kept, None
    fresh = StageDraft(given.name, style=style, buffer_memory=given.buffer_memory)
    return fresh, problem(fresh)
