from __future__ import annotations

import pytest

from hwq.errors import InputError
from hwq.plan.goal import Goal
from hwq.target.boards import load_device


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_goals_are_positive_numbers(value: float) -> None:
    with pytest.raises(InputError, match=r"^--fps: .* was given, expected a number above 0$"):
        Goal(fps=value)
    with pytest.raises(InputError, match=r"^--latency: "):
        Goal(latency_s=value)


@pytest.mark.parametrize("budget", [{"luts": 0.5}, {"lut": 0.0}, {"lut": 1.5}, {"lut": float("nan")}])
def test_budgets_are_shares_of_known_resources(budget: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"^--budget: "):
        Goal(budget=budget)


def test_seventy_percent_of_the_luts_and_all_of_the_rest() -> None:
    device = load_device("vu9p")
    allowance = Goal().allowance(device)
    assert (allowance.lut, allowance.dsp) == (0.7 * device.lut, device.dsp)
    assert Goal(budget={"dsp": 0.5}).allowance(device).dsp == device.dsp / 2
