"""Counters of the fabric: the sum of a few weighted bits as a binary number, in LUTs and slice-wide carry chains.

A chain counter is a run of *atoms*, least significant first, each named by the bits it takes at its own column:

- ``6``: six bits, two positions. Position 0 has S = their parity; its DI is the same LUT at I5 = 0, the parity of five, which equals
  the sixth bit exactly where S = 0, the only case in which DI is used: so the slice's bypass pin stays free for the carry input.
  Position 1 adds the higher bits of the count of five.
- ``4``: four bits and one of the next column, two positions.
- ``2``: two bits, one position (a bit of an adder).

and one more bit of the lowest column enters at the carry input. ``n`` positions give ``n + 1`` bits; the largest count is
``2**(n + 1) - 1``, so that complementing all inputs complements all outputs. This is how complements are absorbed at the two
pins that cannot be inverted, the carry input and I5 of the ``6``. Sources: Preusser, "Generic and universal parallel matrix
summation with a flexible compression goal for Xilinx FPGAs", FPL 2017 (atoms); UG574 (slice); own (DI from O5, complement rule).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from hwq.fabric.netlist import FALSE, TRUE, Netlist, inverted, truth

__all__ = ["Counter", "count", "counter", "full_adder", "fused_adder", "plain"]

_ATOMS = {"6": (6, 0), "4": (4, 1), "2": (2,)}
_LUTS = {"ha": ((2,), 2, 1), "fa": ((3,), 2, 1), "5:3": ((5,), 3, 2), "6:3": ((6,), 3, 3)}


@dataclass(frozen=True)
class Counter:
    """What a counter takes of every column from its own on (at most), the bits it gives (one a column) and what it costs.

    ``luts``: LUT sites; ``positions``: those of them in a carry chain (0: none). A chain whose outputs leave without flip-flops costs
    a site more, for O and CO of one position share one way out of the slice.
    """

    name: str
    takes: tuple[int, ...]
    gives: int
    luts: int
    positions: int

    @property
    def removes(self) -> int:
        """Bits fewer after than before, if full."""
        return sum(self.takes) - self.gives


@lru_cache(maxsize=1024)
def counter(name: str) -> Counter:
    """The counter of a name: ``ha``, ``fa``, ``5:3``, ``6:3`` (LUTs alone) or the atoms of a chain, as ``6``, ``66``, ``624``."""
    if name in _LUTS:
        takes, gives, luts = _LUTS[name]
        return Counter(name, takes, gives, luts, 0)
    columns = [bits for atom in name for bits in _ATOMS[atom]]
    columns[0] += 1
    return Counter(name, tuple(columns), len(columns) + 1, len(columns), len(columns))


def count(netlist: Netlist, kind: Counter, columns: Sequence[Sequence[int]], width: int = 64) -> list[int]:
    """The sum of ``columns[k][i] * 2**k`` as a number, least bit first; the columns may hold fewer bits than the counter takes.

    The sum is taken modulo ``2**width``. No more bits come back than the largest sum has.
    Late bits belong at the end of their column: the last one goes to the carry input.
    """
    assert len(columns) <= len(kind.takes), kind
    assert all(len(c) <= t for c, t in zip(columns, kind.takes, strict=False)), (kind, columns)
    bits = sum(len(c) << k for k, c in enumerate(columns)).bit_length()
    if bits < 2 or width == 0:
        return list(columns[0][:width]) if columns else []
    if not kind.positions:
        return _in_luts(netlist, columns[0])[: min(bits, width)]
    return _in_chain(netlist, kind.name, [list(c) for c in columns], min(bits, width))[: min(bits, width)]


def full_adder(netlist: Netlist, a: int, b: int, c: int = FALSE) -> tuple[int, int]:
    """(sum, carry) of two or three bits in one LUT6_2."""
    return netlist.lut2(lambda x, y, z: x ^ y ^ z, lambda x, y, z: x + y + z >= 2, a, b, c)


def fused_adder(netlist: Netlist, first: tuple[int, int], second: tuple[int, int], c: int = FALSE) -> tuple[int, int]:
    """(sum, carry) of two XNOR products and a bit in one LUT6_2: ``(w0 == x0) + (w1 == x1) + c``."""
    return netlist.lut2(
        lambda p, q, r, s, t: (p == q) ^ (r == s) ^ t, lambda p, q, r, s, t: (p == q) + (r == s) + t >= 2, *first, *second, c
    )


def plain(netlist: Netlist, bit: int) -> int:
    """The bit as a signal of its own where it is a complement: one LUT as an inverter."""
    return netlist.position(0b01, 0b00, bit & ~1)[0] if inverted(bit) and bit != TRUE else bit


def _in_luts(netlist: Netlist, bits: Sequence[int]) -> list[int]:
    """A count of up to six bits, every output a function of all."""
    tables = [_digit(k, len(bits)) for k in range(3)]
    if len(bits) <= 3:
        return list(netlist.lut2(tables[0], tables[1], *bits))
    if len(bits) <= 5:
        high, middle = netlist.lut2(tables[2], tables[1], *bits)
        return [netlist.lut(tables[0], *bits), middle, high]
    return [netlist.lut(t, *bits) for t in tables]


@lru_cache(maxsize=64)
def _digit(k: int, bits: int) -> int:
    """Truth table of digit ``k`` of the count of ``bits`` bits."""
    return truth(lambda *v: sum(v) >> k & 1, bits)


# -- chains


def _in_chain(netlist: Netlist, atoms: str, columns: list[list[int]], bits: int) -> list[int]:
    """The positions that ``bits`` outputs need, and the last carry; all complemented if that saves inverters at CI and I5."""
    columns += [[] for _ in range(sum(len(_ATOMS[a]) for a in atoms) - len(columns))]
    flip = int(_missing(atoms, columns, 1) < _missing(atoms, columns, 0))
    ci, filled = _assigned(netlist, atoms, [[b ^ flip for b in c] for c in columns], flip)
    s: list[int] = []
    di: list[int] = []
    for atom, pins in zip(atoms, filled, strict=True):
        for propagate, generate in _ATOM[atom](netlist, pins):
            s.append(propagate)
            di.append(generate)
    # A carry leaves between atoms only.
    alone = not any(columns[bits - 1 :]) and bits - 1 in accumulate(len(_ATOMS[a]) for a in atoms)
    used = bits - 1 if alone else min(bits, len(s))
    o, co = netlist.chain(s[:used], di[:used], ci)
    return [b ^ flip for b in (*o, co[-1])]


def _rigid(atoms: str, columns: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """(column, bits that must be plain) of a chain: the carry input, and I5 of every full ``6``."""
    found, at = [], 0
    for k, atom in enumerate(atoms):
        takes = _ATOMS[atom][0]
        beyond = len(columns[at]) - takes
        found.append((at, (k == 0 and beyond > 0) + (atom == "6" and beyond >= (k == 0))))
        at += len(_ATOMS[atom])
    return found


def _missing(atoms: str, columns: Sequence[Sequence[int]], sign: int) -> int:
    """Plain bits that rigid pins lack, if literals of this sign are plain."""
    return sum(max(0, need - sum((b & 1) == sign or b <= TRUE for b in columns[at])) for at, need in _rigid(atoms, columns))


def _assigned(netlist: Netlist, atoms: str, columns: list[list[int]], missing: int) -> tuple[int, list[list[int]]]:
    """The carry input, and the pins of every atom (of a ``6`` the last one plain), ``missing`` where no bit is."""
    ci, at, filled = missing, 0, []
    for k, atom in enumerate(atoms):
        here = columns[at]
        if k == 0 and (len(here) > _ATOMS[atom][0] or any(b <= TRUE or not inverted(b) for b in here)):
            ci = plain(netlist, _taken(here))
        pins = [*here, *[missing] * (_ATOMS[atom][0] - len(here))]
        if atom == "6":
            last = _taken(pins) if len(here) == 6 else pins.pop()
            pins.append(plain(netlist, last) if len(here) == 6 else last)
        elif atom == "4":
            pins.append(columns[at + 1][0] if columns[at + 1] else missing)
        filled.append(pins)
        at += len(_ATOMS[atom])
    return ci, filled


def _taken(bits: list[int]) -> int:
    """The last plain bit, else the last, out of the list."""
    k = next((i for i in reversed(range(len(bits))) if not inverted(bits[i]) or bits[i] == TRUE), len(bits) - 1)
    return bits.pop(k)


def _six(netlist: Netlist, pins: list[int]) -> list[tuple[int, int]]:
    parity = netlist.lut6_2(lambda *v: sum(v) & 1, *pins)
    return [parity, netlist.position(lambda *v: sum(v) >> 1 == 1, lambda *v: sum(v) >> 1 == 2, *pins[:5])]


def _four(netlist: Netlist, pins: list[int]) -> list[tuple[int, int]]:
    low = netlist.position(lambda *v: sum(v) & 1, lambda *v: v[3], *pins[:4])
    return [low, netlist.position(lambda a, b, c, d: (a + b + c >= 2) ^ d, lambda a, b, c, d: d, *pins[:3], pins[4])]


def _two(netlist: Netlist, pins: list[int]) -> list[tuple[int, int]]:
    return [netlist.position(lambda a, b: a ^ b, lambda a, b: a, *pins)]


_ATOM = {"6": _six, "4": _four, "2": _two}
