"""The training loop: learns, repeats itself, keeps the best, leaves torch's state alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hwq.errors import InputError
from hwq.quant import Bipolar, Linear, Uniform
from hwq.quant.training import Fit, Schedule, accuracy, fit, seeded, tensors


def blobs(count: int = 300) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, count)
    x = (np.eye(3)[y].repeat(4, 1) * 2 + rng.normal(0, 0.6, (count, 12))).astype(np.float32)
    return tensors(x, y)


def run(seed: int, epochs: int = 4, rate: float = 1e-2) -> tuple[nn.Module, Fit, list[str]]:
    x, y = blobs()
    texts: list[str] = []
    with seeded(seed):
        net = nn.Sequential(
            Uniform(4), Linear(12, 16, bias=False, weight=Bipolar()), nn.BatchNorm1d(16), Bipolar(), Linear(16, 3, weight=Bipolar("layer"))
        )
        schedule = Schedule(epochs=epochs, batch=33, rate=rate, seed=seed)
        result = fit(net, (x[:200], y[:200]), (x[200:], y[200:]), schedule, progress=lambda text, _: texts.append(text))
    return net, result, texts


def test_it_learns_and_tells() -> None:
    net, result, texts = run(1)
    assert result.validation_accuracy > 0.8
    assert accuracy(net, *(t[200:] for t in blobs())) == result.validation_accuracy
    assert len(texts) == 4
    assert texts[-1].startswith("epoch 4 of 4, validation ")
    assert not net.training


def test_the_same_seed_gives_the_same_weights_and_another_others() -> None:
    first, second, other = (run(seed, 2)[0].state_dict() for seed in (7, 7, 8))
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert not all(torch.equal(first[k], other[k]) for k in first)


def test_latent_weights_of_bipolar_layers_stay_within_one() -> None:
    net, _, _ = run(1, rate=2.0)  # steps that would leave at once
    assert float(net[1].weight.detach().abs().max()) == 1.0


def test_the_worlds_generator_and_threads_are_left_alone() -> None:
    threads = torch.get_num_threads()
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    run(1, 1)
    assert torch.equal(torch.rand(2), expected)
    assert torch.get_num_threads() == threads


def test_data_that_does_not_match_is_refused() -> None:
    x, y = blobs(10)
    with pytest.raises(InputError, match="10 frames and 9 labels"):
        fit(nn.Linear(12, 3), (x, y[:9]), (x, y), Schedule(epochs=1))


def test_augmented_frames_are_what_is_trained_on() -> None:
    x, y = blobs(64)
    seen: list[torch.Tensor] = []

    def blank(frames: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        seen.append(frames)
        return torch.zeros_like(frames)

    net = nn.Linear(12, 3)
    before = net.weight.detach().clone()
    fit(net, (x, y), (x, y), Schedule(epochs=2, batch=16), augment=blank)
    assert len(seen) == 8
    assert torch.equal(net.weight, before)  # zeros teach the weights nothing
