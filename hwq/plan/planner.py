"""Planner: a Network, a device and a goal become a Plan.

Folding first: the cheapest lanes and weight memories for a number of cycles a frame (folding.py), and the least such
number that fits or suffices; then depths from the token simulator (sizing.py). Buses are 64 bits wide unless a goal needs more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import isqrt

from hwq.errors import HwqError, InputError, NegativeVerdict, Problems
from hwq.network.file import network_hash
from hwq.network.graph import Network
from hwq.plan.balance import balanced, overuse
from hwq.plan.completion import Completion
from hwq.plan.cost import estimate
from hwq.plan.dataflow import dataflow_of
from hwq.plan.device import Device
from hwq.plan.draft import PlanDraft
from hwq.plan.folding import Folder, Folding
from hwq.plan.footprint import check_memory
from hwq.plan.goal import Goal
from hwq.plan.pieces import Piece
from hwq.plan.plan import Plan
from hwq.plan.prediction import predict_tokens
from hwq.plan.resources import Resources
from hwq.plan.rules import BUSES, breaches, device_breaches
from hwq.plan.stages import stages_of
from hwq.plan.styles import with_style
from hwq.plan.token_network import TokenNetwork
from hwq.plan.units import pitch_of
from hwq.plan.unrolled import circuit_piece, form_of
from hwq.plan.verdict import does_not_fit

__all__ = ["outlook", "plan_network"]

DEFAULT_BUS = 64
WIDE_BUSES = BUSES[BUSES.index(DEFAULT_BUS) :]
SIZED_PROBES = 5  # tries with sized depths, which cost seconds in large networks
REPRICINGS = 6  # times a resource that overflows is made dearer before a number of cycles is given up

Progress = Callable[[str, float | None], None]


def plan_network(
    network: Network,
    device: Device,
    goal: Goal | None = None,
    *,
    clock_mhz: float | None = None,
    base: Plan | PlanDraft | None = None,
    style: str | None = None,
    unroll: bool = False,
    progress: Progress | None = None,
) -> Plan:
    """A plan for ``network`` on ``device`` that meets ``goal`` with the least fabric, or as fast as fits.

    ``base`` is honoured exactly in every field it gives; ``style`` is that of all layers that can have it, whatever ``base``
    says. With ``unroll``, layers of which neither says anything may be unrolled too, see :class:`Folder`; else they are folded, or
    constant where one fold is all. Raises :class:`InputError` (``GOAL-FPS``, ``GOAL-LATENCY``) for what
    no plan can reach, :class:`NegativeVerdict` (``DOES-NOT-FIT``) for what the device cannot hold, :class:`Problems` for a
    ``base`` that breaks rules.
    """
    draft = PlanDraft.of(base) if isinstance(base, Plan) else base or PlanDraft()
    clock = clock_mhz or draft.clock_mhz or device.clock_mhz
    _check(network, draft, clock, device)
    if style is not None:
        draft = with_style(network, draft, style)
    return _Planner(network, device, goal or Goal(), clock, draft, progress or (lambda text, fraction: None), unroll).plan()


def outlook(network: Network, device: Device, goal: Goal, *, clock_mhz: float, style: str | None, unroll: bool) -> tuple[int, float] | None:
    """Cycles a frame and LUTs that :func:`plan_network` would come to, about: by counts, before circuits are made and depths sized.

    None where no plan is found so, and for goals of latency.
    """
    try:
        draft = PlanDraft() if style is None else with_style(network, PlanDraft(), style)
        return _Planner(network, device, goal, clock_mhz, draft, lambda text, fraction: None, unroll).outlook()
    except (InputError, NegativeVerdict):
        return None


def _check(network: Network, draft: PlanDraft, clock: float, device: Device) -> None:
    if draft.network is not None and draft.network != network_hash(network):
        # All its names would be breaches too.
        raise Problems([InputError("PLAN-NETWORK", "this is the plan of another network", hint="Plan anew without --plan")])
    check_memory(network)
    problems: list[HwqError] = [*breaches(network, draft), *device_breaches(draft, device)]
    if not 0 < clock < 2000:
        problems.append(InputError("PLAN-CLOCK", f"a clock of {clock:g} MHz was asked, expected 0..2000"))
    if problems:
        raise Problems(problems)


@dataclass
class _Planner:
    network: Network
    device: Device
    goal: Goal
    clock: float
    draft: PlanDraft
    progress: Progress
    unroll: bool = False
    circuits: dict[str, Piece] = field(default_factory=dict)
    folders: dict[int, Folder] = field(default_factory=dict)
    foldings: dict[tuple[int, int], Folding | None] = field(default_factory=dict)

    def plan(self) -> Plan:
        if self.goal.latency_s is not None:
            return self.for_latency(self.goal.latency_s)
        if self.goal.fps is not None:
            cycles = self.cycles_for(self.goal.fps)
            return self.fitting(self.folder_for(cycles), cycles)
        return self.fastest(self.start())

    def outlook(self) -> tuple[int, float] | None:
        """:func:`outlook` of this request."""
        if self.goal.latency_s is not None:
            return None
        if self.goal.fps is not None:
            cycles: int | None = self.cycles_for(self.goal.fps)
            folder = self.folder_for(cycles or 1)
        else:
            folder = self.start()
            cycles = self.least_fitting(folder, self.floor(folder)[0])
        folding = None if cycles is None else self.affordable(folder, min(cycles, folder.most_cycles()))
        return None if folding is None else (folder.cycles(folding), folding.cost.lut)

    def start(self) -> Folder:
        """The folder on the buses of a plan without a goal."""
        folder = self.folder(DEFAULT_BUS)
        return self.wide_enough() if folder.is_unrolled else folder

    def wide_enough(self) -> Folder:
        """The folder on the narrowest buses, 64 bits or more, that keep up with the stages; else on the widest."""
        folders = [self.folder(bus) for bus in WIDE_BUSES]
        return next((f for f in folders if f.io_cycles <= f.least_cycles()[0]), folders[-1])

    # -- goals

    def cycles_for(self, fps: float) -> int:
        """Cycles a frame that ``fps`` allows; refuses what the widest plan cannot reach."""
        # A hair of slack: 3 cycles asked as 100e6 frames at 300 MHz must not become 2.
        cycles = int(self.clock * 1e6 / fps * (1 + 1e-12))
        least, what = self.floor(self.folder(BUSES[-1]))
        if cycles < least and self.may_unroll():
            least, what = self.floor(self.folder(BUSES[-1]))
        if cycles < least:
            most, cycles_text = self.clock * 1e6 / least, f"{cycles} cycle{'s' * (cycles != 1)}"
            raise InputError(
                "GOAL-FPS",
                f"{fps:g} frames a second at {self.clock:g} MHz leave {cycles_text} a frame, {self.network.name} needs {least}",
                where="--fps",
                hint=f"The most that any plan reaches at this clock is {most:.0f} frames a second, limited by {what}",
            )
        return cycles

    def may_unroll(self) -> bool:
        """Let layers of no particular style be unrolled from now on: a small convolution gives more windows a cycle so."""
        try:
            draft = with_style(self.network, self.draft, "auto", replaces=False)
        except InputError:
            return False
        self.draft = draft
        self.folders.clear()
        self.foldings.clear()
        return True

    def floor(self, folder: Folder) -> tuple[int, str]:
        """Fewest cycles a frame of any plan on these buses, and what limits it."""
        stages, slowest = folder.least_cycles()
        if folder.io_cycles >= stages:
            return folder.io_cycles, f"its interfaces of {max(folder.buses.values())} bits"
        return stages, slowest

    def folder_for(self, cycles: int) -> Folder:
        """The folder on the narrowest buses, 64 bits or more, that carry a frame in ``cycles`` cycles."""
        return next(f for f in map(self.folder, WIDE_BUSES) if f.io_cycles <= cycles)

    def folder(self, bus: int) -> Folder:
        """Folder with every bus the draft leaves open at ``bus`` bits, but no wider than its frame."""
        if bus not in self.folders:
            buses = {name: self.draft.streams.get(name) or self.bus(name, bus) for name in self.ports()}
            self.folders[bus] = Folder(self.network, self.draft, buses, self.unroll)
        return self.folders[bus]

    def ports(self) -> Iterable[str]:
        return dict.fromkeys([i.name for i in self.network.inputs] + list(self.network.outputs))

    def bus(self, name: str, bus: int) -> int:
        """``bus``, narrowed to what one frame of tensor ``name`` fills, but not below the default."""
        info = self.network.tensors[name]
        bits = info.shape[0] * info.shape[1] * info.shape[2] * pitch_of(info.encoding.bits)
        return min(bus, max(DEFAULT_BUS, 1 << (bits - 1).bit_length()))

    # -- search

    def fastest(self, folder: Folder) -> Plan:
        """The plan with the fewest cycles a frame that fits."""
        low, _ = self.floor(folder)
        cycles = self.least_fitting(folder, low)
        while cycles is not None:
            plan = self.complete(folder, self.settled(folder, cycles))
            if plan is not None and self.fits(plan):
                return plan
            # Depths came out larger than the folding had assumed.
            cycles = self.least_fitting(folder, cycles + max(1, cycles // 20))
        raise self.too_big(folder, folder.most_cycles())

    def least_fitting(self, folder: Folder, low: int) -> int | None:
        """Fewest cycles a frame, ``low`` or more, with a folding that fits; None when there is none."""
        high = folder.most_cycles()
        if low > high:
            return None
        if self.affordable(folder, low):
            return low
        if not self.affordable(folder, high):
            return None
        # Two per mille of a large number of cycles are no matter.
        while high - low > max(1, low >> 9):
            middle = max(low + 1, isqrt(low * high))
            self.progress(f"folding for {middle} cycles a frame", None)
            low, high = (low, middle) if self.affordable(folder, middle) else (middle, high)
        return high

    def affordable(self, folder: Folder, cycles: int) -> Folding | None:
        """A folding of at most ``cycles`` cycles a frame within the budget, or None."""
        folding = self.nearest(folder, cycles)
        return None if folding is None or _over(folding.cost, self.goal.allowance(self.device)) else folding

    def settled(self, folder: Folder, cycles: int) -> Folding | None:
        """:meth:`affordable`, every circuit in it counted as it was made: one that turns out too dear gives way to another style."""
        while True:
            folding = self.affordable(folder, cycles)
            fresh = [n for n, f in folding.folds.items() if f.style and n not in self.circuits] if folding else []
            for name in fresh:
                self.progress(f"making the circuit of {name}", None)
                stage = next(s for s in stages_of(self.network) if s.name == name)
                self.circuits[name] = circuit_piece(form_of(self.network, stage))
                folder.made(name, self.circuits[name])
            if not fresh:
                return folding
            self.foldings.clear()

    def nearest(self, folder: Folder, cycles: int) -> Folding | None:
        """The folding of at most ``cycles`` cycles a frame that fits, or comes nearest to it; None where none has so few cycles."""
        key = (id(folder), cycles)
        if key not in self.foldings:
            self.foldings[key] = self._nearest(folder, cycles)
        return self.foldings[key]

    def _nearest(self, folder: Folder, cycles: int) -> Folding | None:
        allowance, prices = self.goal.allowance(self.device), self.prices
        best: Folding | None = None
        for _ in range(REPRICINGS):
            folding = folder.fold(cycles, prices)
            if folding is None:
                return None
            folds, cost = balanced(folding.folds, folding.cost, folder.candidates, allowance, self.prices)
            if best is None or _worst(cost, allowance) < _worst(best.cost, allowance):
                best = Folding(folds, cost)
            over = overuse(folding.cost, allowance)
            if not overuse(cost, allowance):
                break
            prices |= {name: prices[name] * min(4.0, max(1.5, share)) for name, share in over.items()}
        return best

    def fitting(self, folder: Folder, cycles: int) -> Plan:
        """The cheapest plan of at most ``cycles`` cycles a frame; refuses one that does not fit."""
        cycles = min(cycles, folder.most_cycles())
        plan = self.complete(folder, self.affordable(folder, cycles) if self.goal.latency_s else self.settled(folder, cycles))
        if plan is None or not self.fits(plan):
            raise self.too_big(folder, cycles, plan)
        return plan

    def too_big(self, folder: Folder, cycles: int, plan: Plan | None = None) -> NegativeVerdict:
        """The verdict on ``cycles`` cycles a frame; ``plan`` is one whose folding would have fitted, but not its depths."""
        folding = self.nearest(folder, cycles)
        assert folding is not None
        faster = self.least_fitting(folder, cycles) if self.goal.fps or self.goal.latency_s else None
        cost = estimate(self.network, plan, self.device).total if plan else folding.cost
        return does_not_fit(self.network.name, cost, self.device, self.goal, self.clock, cycles, faster)

    def fits(self, plan: Plan) -> bool:
        return not _over(estimate(self.network, plan, self.device).total, self.goal.allowance(self.device))

    def for_latency(self, latency_s: float) -> Plan:
        """The plan with the least fabric whose frames take at most ``latency_s`` seconds, on the narrowest bus that does."""
        limit = int(latency_s * self.clock * 1e6 * (1 + 1e-12))
        ceiling = self.cycles_for(self.goal.fps) if self.goal.fps else None
        least: int | None = None
        verdict: NegativeVerdict | None = None
        for folder in self.wider_buses(ceiling):
            low, high = folder.least_cycles()[0], min(folder.most_cycles(), ceiling or folder.most_cycles())
            shortest = self.latency(folder, low)
            least = shortest if least is None else min(least, shortest)
            if shortest > limit:
                continue
            cycles = self.most_within(folder, limit, low, high)
            try:
                return self.fitting(folder, cycles)
            except NegativeVerdict as error:
                verdict = error
        if verdict:
            raise verdict
        assert least is not None
        raise InputError(
            "GOAL-LATENCY",
            f"a latency of {latency_s * 1e9:g} ns is {limit} cycles at {self.clock:g} MHz, {self.network.name} needs {least}",
            where="--latency",
            hint=f"The least that any plan reaches at this clock is {least / self.clock * 1e3:.1f} ns",
        )

    def wider_buses(self, ceiling: int | None) -> Iterable[Folder]:
        seen: list[Mapping[str, int]] = []
        for bus in WIDE_BUSES:
            folder = self.folder(bus)
            if folder.buses not in seen and (ceiling is None or folder.io_cycles <= ceiling):
                seen.append(folder.buses)
                yield folder

    def most_within(self, folder: Folder, limit: int, low: int, high: int) -> int:
        """Most cycles a stage, ``low`` (which has it) or more, with a latency up to ``limit``.

        Depths as they are before sizing tell where to look in little time; what is returned has been tried with sized ones.
        """
        near = self._bisect(lambda c: self.latency(folder, c, sized=False) <= limit, low, high, high)
        while near > low and self.latency(folder, near) > limit:
            near = (low + near) // 2
        return self._bisect(lambda c: self.latency(folder, c) <= limit, near, min(high, 2 * near), SIZED_PROBES)

    def _bisect(self, good: Callable[[int], bool], low: int, high: int, probes: int) -> int:
        """The largest number found good in at most ``probes`` tries; ``low`` is taken to be good."""
        while low < high and probes > 0:
            middle = (low + high + 1) // 2
            self.progress(f"latency with {middle} cycles a stage", None)
            low, high = (middle, high) if good(middle) else (low, middle - 1)
            probes -= 1
        return low

    def latency(self, folder: Folder, cycles: int, *, sized: bool = True) -> int:
        """Cycles from first beat in to last beat out of the cheapest plan with ``cycles`` cycles a stage."""
        plan = self.complete(folder, self.nearest(folder, cycles), sized=sized)
        assert plan is not None
        prediction = predict_tokens(TokenNetwork(dataflow_of(self.network, plan)))
        return max(prediction.latency, prediction.first_latency)

    def complete(self, folder: Folder, folding: Folding | None, *, sized: bool = True) -> Plan | None:
        """The plan of ``folding`` with all depths: the least, or where not ``sized`` those that normally suffice."""
        if folding is None:
            return None
        completion = Completion(self.network, self.device, self.clock, self.draft, self.prices, self.progress)
        return completion.plan(folder, folding, sized)

    @property
    def prices(self) -> dict[str, float]:
        """What a unit of each resource costs: its share of the budget."""
        return {name: 1.0 / amount if amount else 1e9 for name, amount in self.goal.allowance(self.device).as_dict().items()}


def _over(cost: Resources, allowance: Resources) -> list[str]:
    """Resources of which more is needed than there is."""
    return list(overuse(cost, allowance))


def _worst(cost: Resources, allowance: Resources) -> float:
    """Share of what may be used of the resource that is shortest."""
    return max(cost.fraction_of(allowance).values())
