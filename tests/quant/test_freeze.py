"""Freeze: what it makes, what it costs, what it refuses."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from hwq.errors import InputError, Problems
from hwq.numerics.encoding import Integer
from hwq.quant import Bipolar, Identity, Linear, Quantizer, Ternary, Uniform, freeze, is_unfrozen
from hwq.quant.frozen import FrozenAffine, FrozenLinear
from hwq.quant.gradient import straight_through_round


def trained(*layers: nn.Module, features: int = 6) -> nn.Sequential:
    net = nn.Sequential(*layers)
    net.train()
    with torch.no_grad():
        for _ in range(3):
            net(torch.rand(8, features))
    return net.eval()


def test_weights_become_codes_and_binary32_scales() -> None:
    torch.manual_seed(1)
    net = trained(Linear(6, 5, weight=Uniform(4, per="channel")))
    frozen = freeze(net).module[0]
    assert isinstance(frozen, FrozenLinear)
    assert frozen.codes.dtype == torch.int8
    assert int(frozen.codes.abs().max()) == 7
    np.testing.assert_array_equal(frozen.scale.numpy(), frozen.scale.numpy().astype(np.float32))
    np.testing.assert_array_equal(frozen.codes.numpy(), np.rint(net[0].weight.detach().numpy() / frozen.scale.numpy()[:, None]))


def test_batch_norm_becomes_one_multiply_and_one_add_in_binary64() -> None:
    norm = nn.BatchNorm1d(3).eval()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([-0.3, 0.0, 1.7]))
        norm.bias.copy_(torch.tensor([0.1, -0.2, 0.3]))
        norm.running_mean.copy_(torch.tensor([0.7, -1.1, 2.3]))
        norm.running_var.copy_(torch.tensor([1e-12, 0.5, 1e9]))
    affine = freeze(nn.Sequential(Uniform(4, scale=0.1), norm).eval()).module[1]
    assert isinstance(affine, FrozenAffine)
    for c in range(3):
        gamma, beta, mean, var = (np.float64(t[c].item()) for t in (norm.weight, norm.bias, norm.running_mean, norm.running_var))
        a = gamma / np.sqrt(var + np.float64(norm.eps))
        assert affine.a[c].item() == a
        exact = Fraction(float(beta)) - Fraction(float(np.float64(mean * a)))
        assert affine.b[c].item() == float(exact)


def test_batch_norm_without_parameters_freezes() -> None:
    net = trained(Linear(6, 4, weight=Bipolar()), nn.BatchNorm1d(4, affine=False), Bipolar())
    x = torch.rand(20, 6)
    np.testing.assert_array_equal(freeze(net)(x).numpy(), net(x).detach().numpy())


def test_everything_runs_in_float64_and_ends_in_the_modules_dtype() -> None:
    seen: list[torch.dtype] = []

    class Spy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.extend(y.dtype for y in (x, x.float(), x.half(), x.to(torch.float32), x.to(dtype=torch.bfloat16), x.type(torch.float32)))
            return x

    net = trained(Spy(), Uniform(4, scale=0.1), Linear(6, 2, weight=Ternary()), Spy())
    seen.clear()
    assert freeze(net)(torch.rand(2, 6)).dtype == torch.float32
    assert seen == [torch.float64] * 12


def test_the_sign_of_zero_is_plus_one() -> None:
    x = torch.tensor([[-1e-300, -0.0, 0.0, 1e-300]], dtype=torch.float64)
    np.testing.assert_array_equal(freeze(nn.Sequential(Bipolar()).eval())(x).numpy(), [[-1, 1, 1, 1]])


def test_the_module_itself_is_left_alone() -> None:
    net = trained(Linear(6, 2, weight=Ternary()), nn.Dropout())
    state = {k: v.clone() for k, v in net.state_dict().items()}
    frozen = freeze(net)
    assert isinstance(net[0], Linear)
    assert is_unfrozen(net)
    assert not is_unfrozen(frozen)
    assert all(torch.equal(state[k], v) for k, v in net.state_dict().items())
    assert freeze(frozen) is frozen


def test_a_layer_used_twice_stays_one_layer() -> None:
    layer = Linear(6, 6, weight=Bipolar())
    frozen = freeze(trained(layer, Bipolar(), layer))
    assert frozen.module[0] is frozen.module[2]


def test_the_report_names_layers_and_costs() -> None:
    net = trained(Linear(6, 3, weight=Uniform(3)))
    report = freeze(net, torch.rand(4, 6)).report
    assert [c.name for c in report.layers] == ["0"]
    assert report.layers[0].encoding == "INT3"
    assert report.layers[0].max_change < 1e-6
    assert report.max_output_change is not None
    assert report.max_output_change < 1e-5
    assert "0: INT3 weights" in str(report)


def test_train_mode_is_refused_by_the_name_of_the_layer() -> None:
    net = trained(Linear(6, 3, weight=Bipolar()), nn.BatchNorm1d(3))
    net[1].train()
    with pytest.raises(InputError, match=r"^1: .*train mode.*module\.eval\(\)") as caught:
        freeze(net)
    assert caught.value.code == "TRAIN-MODE"
    net.train()
    with pytest.raises(InputError, match=r"^Sequential: "):
        freeze(net)


def test_a_frozen_module_cannot_train() -> None:
    frozen = freeze(trained(Linear(6, 3, weight=Bipolar())))
    frozen.eval()
    with pytest.raises(InputError) as caught:
        frozen.train()
    assert caught.value.code == "FROZEN-TRAIN"


def test_all_problems_are_told_at_once() -> None:
    net = nn.Sequential(Uniform(4), Linear(6, 3, weight=Bipolar()), nn.BatchNorm1d(3, track_running_stats=False), Ternary()).eval()
    with torch.no_grad():
        net[1].weight[0, 0] = torch.nan
    with pytest.raises(Problems) as caught:
        freeze(net)
    assert [(p.where, p.code) for p in caught.value.entries()] == [
        ("0", "QUANTIZER-UNTRAINED"),
        ("1", "WEIGHT-NAN"),
        ("2", "BATCHNORM-STATS"),
        ("3", "TERNARY-ACTIVATION"),
    ]


def test_a_negative_variance_is_refused() -> None:
    norm = nn.BatchNorm1d(2).eval()
    with torch.no_grad():
        norm.running_var.fill_(-1.0)
    with pytest.raises(Problems, match="negative variance"):
        freeze(nn.Sequential(norm).eval())


def test_unfrozen_modules_cannot_be_exported_by_hand() -> None:
    net = trained(Linear(6, 3, weight=Bipolar()))
    with pytest.raises(InputError) as caught:
        torch.export.export(net, (torch.rand(2, 6),))
    assert caught.value.code == "UNFROZEN"


class Twice(Quantizer):
    """The example of the documentation: integers -2, 0, +2."""

    @property
    def encoding(self) -> Integer:
        return Integer(3, True, True)

    def integers(self, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return 2 * straight_through_round(torch.clamp(x / scale, -1, 1))


def test_a_quantizer_of_your_own_freezes_for_weights_and_activations() -> None:
    net = trained(Twice(), Linear(6, 3, weight=Twice()), Twice())
    frozen = freeze(net)
    assert set(frozen.module[1].codes.unique().tolist()) <= {-2, 0, 2}
    x = torch.rand(20, 6) * 4 - 2
    np.testing.assert_array_equal(frozen(x).numpy(), net(x).detach().numpy())


def test_weights_that_are_no_integers_of_the_encoding_are_refused() -> None:
    class Half(Twice):
        def integers(self, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
            return super().integers(x, scale) / 4

    class Wide(Twice):
        def integers(self, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
            return torch.full_like(x, 4)

    class Zero(Twice):
        def weight_scale(self, weight: torch.Tensor) -> torch.Tensor:
            return weight.new_zeros(()) + 1e-60

    expected = {Half: "QUANTIZER-INTEGERS", Wide: "QUANTIZER-INTEGERS", Zero: "QUANTIZER-SCALE", Identity: "WEIGHT-UNQUANTIZED"}
    for kind, code in expected.items():
        net = nn.Sequential(Linear(6, 3, weight=kind())).eval()
        with torch.no_grad():
            net[0].weight.fill_(1.0)
        with pytest.raises(Problems) as caught:
            freeze(net)
        assert [(p.where, p.code) for p in caught.value.entries()] == [("0", code)]
