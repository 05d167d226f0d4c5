"""Bipolar, ternary and uniform quantizers: values, scales, gradients, and how they are called wrong."""

from __future__ import annotations

import math
from importlib.metadata import EntryPoint

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hwq.errors import InputError
from hwq.quant import Bipolar, Identity, Quantizer, Ternary, Uniform, make_quantizer
from hwq.quant.gradient import straight_through
from hwq.quant.quantizer import ENTRY_POINT_GROUP


def gradient(quantizer: Quantizer, x: torch.Tensor) -> torch.Tensor:
    leaf = x.clone().requires_grad_()
    quantizer(leaf).sum().backward()
    assert leaf.grad is not None
    return leaf.grad


def test_bipolar_sign_of_zero_is_plus_one() -> None:
    x = torch.tensor([-2.0, -1e-30, -0.0, 0.0, 1e-30, 2.0])
    np.testing.assert_array_equal(Bipolar()(x).numpy(), [-1, -1, 1, 1, 1, 1])


def test_bipolar_gradient_is_one_inside_and_zero_outside() -> None:
    x = torch.tensor([-1.5, -1.0, -0.2, 0.0, 1.0, 1.1])
    np.testing.assert_array_equal(gradient(Bipolar(), x).numpy(), [0, 1, 1, 1, 1, 0])


def test_bipolar_scale_is_the_mean_that_minimises_the_error() -> None:
    w = torch.randn(4, 50, generator=torch.Generator().manual_seed(1))
    scale = Bipolar("channel").weight_scale(w)
    grid = torch.linspace(0.2, 2, 1801)
    errors = ((w[:, :, None] - w.sign()[:, :, None] * grid) ** 2).sum(1)
    assert (grid[errors.argmin(1)] - scale[:, 0]).abs().max() <= 1e-3
    assert float(Bipolar("layer").weight_scale(w)) == float(w.abs().mean())


def test_ternary_follows_the_paper_on_gaussian_weights() -> None:
    # arXiv 1605.04711 with factor 0.7: scale 1.1842, 42.35 % zeros for N(0, 1).
    w = torch.randn(1, 400_000, generator=torch.Generator().manual_seed(2))
    q = Ternary()
    scale = q.weight_scale(w)
    codes = q.integers(w, scale)
    assert set(codes.unique().tolist()) == {-1.0, 0.0, 1.0}
    assert abs(float(scale) - 1.1842) < 5e-3
    assert abs(float((codes == 0).float().mean()) - 0.4235) < 5e-3


def test_ternary_by_hand_per_channel() -> None:
    w = torch.tensor([[0.1, -1.0, 0.5], [2.0, 2.0, -4.0]])
    q = Ternary("channel")
    scale = q.weight_scale(w)
    np.testing.assert_array_equal(q.integers(w, scale).numpy(), [[0, -1, 1], [1, 1, -1]])
    np.testing.assert_array_equal(scale.numpy(), np.float32([[0.75], [8 / 3]]))


def test_ternary_passes_the_gradient_of_the_quantized_weight() -> None:
    w = torch.tensor([[0.1, -1.0, 0.5]], requires_grad=True)
    q = Ternary()
    scale = q.weight_scale(w)
    (q.integers(w, scale) * scale * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), [[1, 2, 3]], rtol=1e-6)  # a gradient, not a result: float32 rounding is fine


def test_all_zero_weights_have_a_scale() -> None:
    w = torch.zeros(2, 3)
    for q in (Ternary(), Ternary("channel"), Uniform(4), Uniform(4, per="channel")):
        scale = q.weight_scale(w)
        assert bool((scale > 0).all())
        assert not bool(q.integers(w, scale).any())


def test_uniform_rounds_half_to_even_after_the_clip() -> None:
    q = Uniform(3, scale=0.5)
    x = torch.tensor([-9.0, -1.75, -0.75, -0.25, 0.25, 0.75, 1.25, 1.6, 9.0])
    np.testing.assert_array_equal(q(x).numpy(), [-2, -2, -1, 0, 0, 1, 1, 1.5, 1.5])


@given(st.integers(1, 8), st.booleans(), st.booleans(), st.floats(1 / 64, 4, width=32))
def test_uniform_gives_integers_of_its_encoding(bits: int, signed: bool, narrow: bool, scale: float) -> None:
    try:
        q = Uniform(bits, signed, narrow, scale=scale)
    except InputError:
        assert bits == 1
        return
    x = torch.linspace(-300 * scale, 300 * scale, 1001)
    codes = q.integers(x, q.input_scale(x))
    assert q.encoding.contains(codes.numpy().astype(int)).all()
    assert float(codes.max()) == q.encoding.hi
    assert float(codes.min()) == q.encoding.lo


def test_uniform_max_scale_reaches_the_last_level() -> None:
    w = torch.tensor([[0.5, -2.0], [0.25, 0.1]])
    q = Uniform(3, per="channel")
    np.testing.assert_array_equal(q.weight_scale(w).numpy(), np.float32([[2 / 3], [0.25 / 3]]))
    assert float(Uniform(3).weight_scale(w)) == np.float32(2 / 3)


def test_running_scale_starts_at_the_first_batch_and_moves_slowly() -> None:
    q = Uniform(2, signed=False)
    q(torch.tensor([0.0, 3.0]))
    assert float(q.step) == 1.0
    q(torch.tensor([0.0, 6.0]))
    assert float(q.step) == pytest.approx(1.1)
    q.eval()
    q(torch.tensor([60.0]))
    assert float(q.step) == pytest.approx(1.1)


def test_learned_scale_gets_its_gradient() -> None:
    q = Uniform(3, scale="learned")
    q(torch.tensor([-1.0, 1.0]))
    with torch.no_grad():
        q.step.fill_(0.5)
    q(torch.tensor([0.6, 9.0])).sum().backward()
    # d(s * q(x / s)) / ds = q - x/s inside (1 - 1.2), q outside (3).
    assert float(q.step.grad) == pytest.approx(2.8)


@pytest.mark.parametrize("scale", ["max", "learned", 0.25])
def test_a_quantizer_used_twice_in_one_forward_trains(scale: str | float) -> None:
    torch.manual_seed(0)
    shared, layer = Uniform(4, scale=scale), torch.nn.Linear(8, 8)
    optimizer = torch.optim.SGD([*layer.parameters(), *shared.parameters()], 0.05)
    x, losses = torch.randn(32, 8), []
    for _ in range(10):
        optimizer.zero_grad()
        loss = (shared(layer(x)) + shared(x) - 1).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


def test_every_use_in_train_mode_is_seen_by_the_running_scale() -> None:
    q = Uniform(4)
    first, second = q.input_scale(torch.tensor([7.0])), q.input_scale(torch.tensor([14.0]))
    assert (float(first), float(second)) == (1.0, pytest.approx(1.1))
    assert float(q.step) == float(second)


def test_a_scale_that_has_seen_nothing_is_an_error_not_a_nan() -> None:
    q = Uniform(4).eval()
    with pytest.raises(InputError, match="no scale yet") as caught:
        q(torch.zeros(3))
    assert caught.value.code == "QUANTIZER-UNTRAINED"


@pytest.mark.parametrize(
    "options",
    [
        {"bits": 0},
        {"bits": 17},
        {"bits": "4"},
        {"bits": 4.0},
        {"bits": True},
        {"bits": 4, "scale": None},
        {"bits": 1},
        {"bits": 4, "scale": 0.0},
        {"bits": 4, "scale": -1.0},
        {"bits": 4, "scale": math.nan},
        {"bits": 4, "scale": 1e300},
        {"bits": 4, "scale": "mean"},
        {"bits": 4, "per": "row"},
        {"bits": 4, "per": "channel", "scale": "learned"},
        {"bits": 1, "signed": False, "narrow": True},
    ],
)
def test_uniform_refuses_what_makes_no_sense(options: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Uniform(**options)  # type: ignore[arg-type]


def test_other_options_are_checked_too() -> None:
    for wrong in (lambda: Bipolar("row"), lambda: Ternary("row")):  # type: ignore[arg-type]
        with pytest.raises(InputError):
            wrong()


def test_straight_through_has_exactly_the_hard_value() -> None:
    soft = torch.rand(1000, generator=torch.Generator().manual_seed(3)) * 2 - 1
    hard = soft.sign()
    np.testing.assert_array_equal(straight_through(soft, hard).numpy(), hard.numpy())


def test_quantizers_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(make_quantizer("uniform", bits=3), Uniform)
    with pytest.raises(InputError, match="bipolar, none, ternary, uniform"):
        make_quantizer("octal")
    offered = EntryPoint("mine", "tests.quant.test_freeze:Twice", ENTRY_POINT_GROUP)
    monkeypatch.setattr("hwq.quant.quantizer.entry_points", lambda group: [offered] if group == ENTRY_POINT_GROUP else [])
    assert type(make_quantizer("mine")).__name__ == "Twice"


def test_identity_lets_everything_pass_and_freezes_to_nothing() -> None:
    x = torch.randn(4, generator=torch.Generator().manual_seed(1))
    np.testing.assert_array_equal(Identity()(x).numpy(), x.numpy())
    np.testing.assert_array_equal(Identity().frozen()(x).numpy(), x.numpy())
