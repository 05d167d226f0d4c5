"""The saturating accumulator: one carry chain, one LUT level in its loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hwq.fabric.netlist import TRUE, Netlist

__all__ = ["clipped", "saturating_accumulator"]

LUT_INPUTS = 6


def saturating_accumulator(netlist: Netlist, addend: Sequence[int], bits: int, valid: int = TRUE, first: int = 0) -> list[int]:
    """``total = clip((0 if first else total) + addend)`` to ``bits`` bits of two's complement, where ``valid`` holds; else it stays.

    ``addend``: a two's complement number of any width. The register keeps the sum *before* it is clipped, a bit wider than the wider
    operand; the next addition clips in the LUTs of its own carry positions (the register's bit, its two uppermost ones, ``first`` and
    the addend's bit: five inputs). Bit-exact with :class:`hwq.network.ops.Saturating`, a chunk a cycle.

    Timing: ``total`` a cycle after ``addend``. Levels: 1 in the loop (2 if the addend is wider than ``bits``), and 1 behind it.
    Cost: ``max(bits, width) + 1`` positions and half a LUT for each bit of ``total``. Source: own.
    """
    width = max(bits, len(addend)) + 1
    kept = netlist.register(width)
    outside, pins = _overflow(netlist, kept, bits)
    s, di = [], []
    for k in range(width):
        bit, step = kept[min(k, bits - 1)], addend[min(k, len(addend) - 1)]
        clip = _clip(outside, k >= bits - 1)
        one = netlist.position(
            lambda first, bit, step, *top, clip=clip: (clip(bit, *top) and not first) ^ step,
            lambda first, bit, step, *top: step,
            *(first, bit, step, *pins),
        )
        s.append(one[0])
        di.append(one[1])
    netlist.close(kept, netlist.chain(s, di)[0], enable=valid)
    return clipped(netlist, kept, bits)


def clipped(netlist: Netlist, number: Sequence[int], bits: int) -> list[int]:
    """A two's complement number of more than ``bits`` bits clipped to ``bits``: half a LUT a bit."""
    outside, pins = _overflow(netlist, number, bits)
    return [netlist.lut(lambda bit, *top, k=k: _clip(outside, k == bits - 1)(bit, *top), number[k], *pins) for k in range(bits)]


def _overflow(netlist: Netlist, number: Sequence[int], bits: int) -> tuple[Callable[[int, int], bool], tuple[int, int]]:
    """Two pins, the last one the sign, and the function of them that says whether the number needs more than ``bits`` bits."""
    top = number[bits - 1 :]
    if len(top) == 2:
        return lambda a, b: a != b, (top[0], top[1])
    outside = netlist.lut(lambda *v: 0 < sum(v) < len(v), *top[-LUT_INPUTS:])
    rest = top[:-LUT_INPUTS]
    while rest:
        # The sign stands for all that were looked at so far.
        part, rest = rest[-LUT_INPUTS + 2 :], rest[: -LUT_INPUTS + 2]
        outside = netlist.lut(lambda *v: v[0] or 0 < sum(v[1:]) < len(v) - 1, outside, number[-1], *part)
    return lambda a, b: bool(a), (outside, number[-1])


def _clip(outside: Callable[[int, int], bool], is_sign: bool) -> Callable[[int, int, int], int]:
    """The clipped bit from the bit itself and the two pins of :func:`_overflow`."""

    def function(bit: int, other: int, sign: int) -> int:
        if is_sign:
            return sign
        return int(not sign) if outside(other, sign) else bit

    return function
