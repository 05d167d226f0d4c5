"""Networks of hwq.quant with the awkward constants that real training produces, for the tests of several readers."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from hwq.quant import Activation, Bipolar, Linear, Quantizer, Saturating, Ternary, Uniform

FEATURES = 24


def awkward_norm(channels: int) -> nn.BatchNorm1d:
    """A batch norm with negative, zero and tiny gammas, tiny and huge variances."""
    norm = nn.BatchNorm1d(channels)
    generator = torch.Generator().manual_seed(channels)
    with torch.no_grad():
        norm.weight.copy_(torch.randn(channels, generator=generator))
        norm.bias.copy_(torch.randn(channels, generator=generator))
        norm.running_mean.copy_(4 * torch.randn(channels, generator=generator))
        norm.running_var.copy_(20 * torch.rand(channels, generator=generator))
        norm.weight[0], norm.weight[1], norm.weight[2] = 0.0, -1.0, 1e-12
        norm.running_var[3], norm.running_var[4] = 1e-30, 1e12
    return norm


class Mixed(nn.Module):
    """Own forward: input mapping, a layer used twice, two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.entry = Uniform(4, signed=True, scale=0.125)
        self.twice = Linear(FEATURES, FEATURES, bias=False, weight=Ternary("channel"))
        self.norm = awkward_norm(FEATURES)
        self.act = Activation(Uniform(3, signed=False, scale=0.3))
        self.last = Linear(FEATURES, 5, weight=Uniform(4, per="channel"))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        x = self.entry(2 * image.flatten(1) - 1)
        x = self.act(self.norm(self.twice(x)))
        x = self.act(self.twice(x) / 8 + 0.25)
        scores = self.last(x)
        return {"scores": scores, "class": scores.argmax(1)}


def stack(entry: Quantizer, weight: Quantizer, act: nn.Module, last: Quantizer, **options: object) -> nn.Sequential:
    """entry, two hidden layers, scores."""
    return nn.Sequential(
        entry,
        Linear(FEATURES, 16, bias=False, weight=weight),
        awkward_norm(16),
        act,
        Linear(16, 16, weight=copy.deepcopy(weight), **options),
        awkward_norm(16),
        nn.Dropout(0.3),
        copy.deepcopy(act),
        Linear(16, 6, weight=last),
    )


def networks() -> dict[str, nn.Module]:
    """Untrained networks in eval mode whose statistics are set; inputs are (N, 24) or (N, 4, 6) in 0..1."""
    torch.manual_seed(5)
    sixteenth = Uniform(4, signed=False, scale=1 / 16)  # a power of two: ties everywhere
    made: dict[str, nn.Module] = {
        "binary": stack(Uniform(8, signed=False, scale=1 / 255), Bipolar(), Bipolar(), Bipolar("layer")),
        "xnor scales": stack(sixteenth, Bipolar("channel"), Bipolar(), Bipolar("channel")),
        "ternary": stack(Bipolar(), Ternary(), Uniform(2, narrow=True, scale=0.7), Ternary("channel")),
        "two bits": stack(Uniform(2, signed=False), Uniform(2), Uniform(2, signed=False, scale=0.5), Uniform(2, narrow=True)),
        "three bits": stack(sixteenth, Uniform(3, per="channel"), Uniform(3, scale="learned"), Uniform(3)),
        "four bits": stack(Uniform(4), Uniform(4, narrow=True), Uniform(4, signed=False, scale=0.1), Uniform(4, scale="learned")),
        "eight bits": stack(Uniform(8), Uniform(8, per="channel"), Uniform(8, scale=2.0**-5), Uniform(8)),
        "relu and clip": nn.Sequential(
            sixteenth,
            Linear(FEATURES, 16, weight=Uniform(4)),
            nn.ReLU(),
            Uniform(4, signed=False),
            Linear(16, 4, weight=Bipolar()),
            nn.Hardtanh(-3, 3),
        ),
        "saturating": stack(Uniform(3, scale=0.25), Bipolar(), Bipolar(), Bipolar(), accumulator=Saturating(3, chunk=2)),
        "saturating, scaled": stack(
            sixteenth,
            Uniform(3),
            Uniform(4, scale=0.2),
            Ternary(),
            input=Uniform(4, scale=0.2),
            accumulator=Saturating(6, chunk=5),
        ),
        # No norm and no bias in front of the sign: sums of exactly 0 are common.
        "sign of zero": nn.Sequential(
            Bipolar(), Linear(FEATURES, 16, bias=False, weight=Bipolar()), Bipolar(), Linear(16, 4, bias=False, weight=Bipolar())
        ),
        "mixed": Mixed(),
    }
    for module in made.values():
        _observe(module)
    return made


def frames(module: nn.Module, count: int = 400) -> Tensor:
    """Random inputs on a grid of 1/32 (so that ties happen), some of them out of range."""
    generator = torch.Generator().manual_seed(9)
    x = torch.randint(-8, 48, (count, FEATURES), generator=generator) / 32.0
    return x.reshape(count, 4, 6) if isinstance(module, Mixed) else x


def _observe(module: nn.Module) -> None:
    """Shows data to the quantizers that need it, and leaves the batch norms as they were set."""
    module.eval()
    generator = torch.Generator().manual_seed(11)
    for part in module.modules():
        if isinstance(part, Quantizer):
            part.train()
        if isinstance(part, Linear) and part.bias is not None:
            nn.init.normal_(part.bias, generator=generator)
    with torch.no_grad():
        module(frames(module, 50))
        for part in module.modules():
            if isinstance(part, Uniform) and part.mode == "learned":
                part.step.fill_(-0.37)  # training may drive a learned scale through zero; its size counts
    module.eval()
