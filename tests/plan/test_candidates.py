from __future__ import annotations

from math import gcd

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwq.network.graph import Network
from hwq.plan.candidates import Candidates, breakpoints, divisors
from hwq.plan.draft import PlanDraft, StageDraft
from hwq.plan.rules import breaches
from hwq.plan.stages import stages_of
from hwq.plan.summary import summary_of
from hwq.target.boards import load_device
from tests.plan import convnets
from tests.plan.networks import networks
from tests.plan.test_rules import grouped, widened

PRICES = {name: 1.0 / amount for name, amount in load_device("vu9p").capacity.as_dict().items()}
SAMPLES = [convnets.residual(), convnets.inception(), convnets.depthwise(), convnets.unet(), convnets.audio(), grouped(), widened()]


@given(st.integers(1, 3000))
def test_divisors(n: int) -> None:
    assert divisors(n) == {k for k in range(1, n + 1) if n % k == 0}


@given(st.integers(1, 2000))
def test_breakpoints_are_all_values_of_the_ceiling(n: int) -> None:
    assert breakpoints(n) == {-(-n // k) for k in range(1, n + 1)}


def check(network: Network, factor: float) -> None:
    for stage in stages_of(network):
        s = summary_of(network, stage)
        c = Candidates(s, StageDraft(s.name))
        low, high = c.least_cycles(), c.most_cycles()
        cycles = round(low + (high - low) * factor)
        folds = c.within(cycles, PRICES)
        assert folds, s.name
        for f in folds:
            assert s.cycles(f.pe, f.simd, f.pixels) <= cycles
            assert gcd(*s.widths) % f.pixels == 0
            fixed = StageDraft(s.name, f.pe, f.simd, f.pixels, memory=f.memory, buffer_memory=f.buffer_memory, constants=f.constants)
            assert not breaches(network, PlanDraft(stages={s.name: fixed}))
        prices = [sum(PRICES[r] * v for r, v in f.cost.as_dict().items()) for f in folds]
        assert prices == sorted(prices)
        assert low == 1 or not c.within(low - 1, PRICES)


@pytest.mark.parametrize("network", SAMPLES, ids=lambda n: n.name)
@pytest.mark.parametrize("factor", [0.0, 0.1, 0.5, 1.0])
def test_every_candidate_keeps_the_rules_and_the_cycles(network: Network, factor: float) -> None:
    check(network, factor)


@given(networks(), st.floats(0, 1))
def test_so_do_those_of_dense_layers(network: Network, factor: float) -> None:
    check(network, factor)


def test_what_a_draft_fixes_is_all_there_is() -> None:
    network = convnets.residual()
    s = summary_of(network, stages_of(network)[1])
    draft = StageDraft(s.name, pe=4, simd=2, pixels=2, memory="block", buffer_memory="ultra", constants="lutram")
    (fold,) = Candidates(s, draft).within(10**6, PRICES)
    assert (fold.pe, fold.simd, fold.pixels) == (4, 2, 2)
    assert (fold.memory, fold.buffer_memory, fold.constants) == ("block", "ultra", "lutram")
