"""Shifters: steps of four places a LUT, the shifted-out bits remembered; leading zeros found on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hwq.fabric.netlist import FALSE, Netlist

__all__ = ["all_of", "any_of", "choose", "moved", "normalise", "plain_lut", "shift_right"]

LUT_INPUTS = 6


def any_of(netlist: Netlist, bits: Sequence[int]) -> int:
    """Whether any bit is 1: a tree of LUTs."""
    waiting = [b for b in bits if b != FALSE]
    while len(waiting) > 1:
        taken, waiting = waiting[:LUT_INPUTS], waiting[LUT_INPUTS:]
        waiting.append(netlist.lut(lambda *v: any(v), *taken))
    return waiting[0] if waiting else FALSE


def all_of(netlist: Netlist, bits: Sequence[int]) -> int:
    """Whether all bits are 1."""
    return any_of(netlist, [b ^ 1 for b in bits]) ^ 1


def choose(netlist: Netlist, select: Sequence[int], *choices: int) -> int:
    """``choices[select]``: two of one select bit, or up to four of two."""
    full = [*choices, *[FALSE] * ((1 << len(select)) - len(choices))]
    return netlist.lut(lambda *v: v[len(select) + sum(b << k for k, b in enumerate(v[: len(select)]))], *select, *full)


def plain_lut(netlist: Netlist, function: Callable[..., int | bool], *pins: int) -> int:
    """A function of up to six bits as a plain signal, never a complement: what a carry pin takes."""
    flips = [p & 1 for p in pins]
    padded = [*(p & ~1 for p in pins), *[FALSE] * (LUT_INPUTS - len(pins))]
    return netlist.lut6_2(lambda *v: function(*(b ^ f for b, f in zip(v, flips, strict=False))), *padded)[0]


def moved(netlist: Netlist, select: Sequence[int], *choices: int) -> tuple[int, int]:
    """A carry position of ``choices[select]`` and nothing else: S, and a DI that never carries."""
    return plain_lut(netlist, lambda *v: v[len(select) + sum(b << k for k, b in enumerate(v[: len(select)]))], *select, *choices), FALSE


def _steps(first: int, bits: int) -> list[tuple[int, int]]:
    """Bits ``first .. bits - 1`` of an amount in pairs from below, the largest step first: (lowest bit, how many)."""
    steps = [(k, min(2, bits - k)) for k in range(first, bits, 2)]
    return steps[::-1]


def shift_right(netlist: Netlist, bits: Sequence[int], amount: Sequence[int], first: int) -> tuple[list[int], int]:
    """``bits`` shifted right by the amount's bits ``first`` and above, and whether a 1 was shifted out."""
    found, lost = list(bits), []
    for low, count in _steps(first, len(amount)):
        select, unit = amount[low : low + count], 1 << low
        groups = [any_of(netlist, found[k * unit : (k + 1) * unit]) for k in range((1 << count) - 1)]
        lost.append(_lost(netlist, select, groups))
        found = [
            choose(netlist, select, *(found[i + k * unit] if i + k * unit < len(found) else FALSE for k in range(1 << count)))
            for i in range(len(found))
        ]
    return found, any_of(netlist, lost)


def _lost(netlist: Netlist, select: Sequence[int], groups: Sequence[int]) -> int:
    """Whether one of the first ``select`` groups has a 1."""
    count = len(select)
    return netlist.lut(lambda *v: any(v[count : count + sum(b << k for k, b in enumerate(v[:count]))]), *select, *groups)


def normalise(
    netlist: Netlist, bits: Sequence[int], amount_bits: int, limit: Sequence[int] | None = None, last: int = 0
) -> tuple[list[int], list[int]]:
    """Shifts left until the last bit is 1, but by no more than the number ``limit``; the shifted bits and the amount.

    Every step looks at the leading bits it may skip, up to three groups of its own size. The step of the amount's bits 0 and 1 is
    worked out but not done if ``last`` is 2: the caller has a place for it. Of zeros the amount is the largest one, or the limit.
    """
    found, amount = list(bits), [FALSE] * amount_bits
    tight = FALSE if limit is None else any_of(netlist, limit[amount_bits:]) ^ 1
    bound = [FALSE] * amount_bits if limit is None else [*limit[:amount_bits], *[FALSE] * (amount_bits - len(limit))]
    for low, count in _steps(0, amount_bits):
        unit, size = 1 << low, len(found)
        empty = [any_of(netlist, found[max(size - (k + 1) * unit, 0) : size - k * unit]) ^ 1 for k in range((1 << count) - 1)]
        zeros = [netlist.lut(_count_bit(k), *empty) for k in range(count)]
        here = bound[low : low + count]
        step = [netlist.lut(_least_bit(k, count), *zeros, *here, tight) for k in range(count)]
        tight = netlist.lut(lambda *v, n=count: v[-1] and v[:n] == v[n : 2 * n], *step, *here, tight)
        amount[low : low + count] = step
        if low >= last:
            found = [
                choose(netlist, step, *(found[i - k * unit] if i >= k * unit else FALSE for k in range(1 << count))) for i in range(size)
            ]
    return found, amount


def _count_bit(bit: int) -> Callable[..., int]:
    """Bit of the number of leading ones of the arguments."""

    def function(*empty: int) -> int:
        zeros = next((k for k, e in enumerate(empty) if not e), len(empty))
        return zeros >> bit & 1

    return function


def _least_bit(bit: int, count: int) -> Callable[..., int]:
    """Bit of the least of two numbers of ``count`` bits if the last argument holds, else of the first one."""

    def function(*v: int) -> int:
        zeros, here = (sum(b << k for k, b in enumerate(part)) for part in (v[:count], v[count : 2 * count]))
        return (min(zeros, here) if v[-1] else zeros) >> bit & 1

    return function
