"""Counters of the fabric: the sum of a few weighted bits as a binary number, in LUTs and slice-wide carry chains.

A chain counter is a run of *atoms*, least significant first, each named by the bits it takes at its own column:

- ``6``: six bits, two positions. Position 0 has S = their parity; its DI is the same LUT at I5 = 0, the parity of five, which equals
  the sixth bit exactly where S = 0, the only case in which DI is used: so the slice's bypass pin stays free for the carry input.
  Position 1 adds the higher bits of the count of five.
- ``4``: four bits and one of the next column, two positions.
- ``p``: six bits, one position and a LUT beside it: S and DI as position 0 of ``6``; the LUT gives the higher bits of the count of
  five as two bits of their own, of the next column and the one after. Fewer sites than full adders where carry chains are short of.
- ``2``: two bits, one position (a bit of an adder).
- ``t``: four bits, one position (a bit of a ternary adder): S is their parity, DI the fourth through the bypass pin, O5 the
  majority of the other three: a bit of the next column that leaves the slice. For flip-flops behind it, for it shares the way out.
- ``T``: three bits, one position, behind ``t`` or ``T``: the fourth bit is the majority of the position before, which then does not
  leave. So ``tTT`` is a ternary adder; its second level of LUTs is the only one that a counter has.

One more bit of the lowest column enters at the carry input, unless the chain starts with ``t``, which needs the same bypass pin.
``n`` positions give ``n + 1`` bits, the majorities and the bits beside; a chain's largest count is all ones, so that complementing all
inputs complements all its outputs. This is how complements are absorbed at the pins that cannot be inverted, the carry input, I5 of
``6`` and ``p`` and the bypass pin. Sources: Preusser, "Generic and universal parallel matrix
summation with a flexible compression goal for Xilinx FPGAs", FPL 2017 (atoms); UG574 (slice); own (DI from O5, ``p``,
complement rule).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from hwq.fabric.netlist import FALSE, TRUE, Netlist, inverted, truth

__all__ = ["ATOMS", "BESIDE", "Counter", "count", "counter", "full_adder", "fused_adder", "given", "luts_beside", "plain"]

#: Bits of its own column and the next ones that an atom of a chain takes: a position each.
ATOMS = {"6": (6, 0), "p": (6,), "4": (4, 1), "2": (2,), "t": (4,), "T": (3,)}
#: Columns, counted from an atom's own, of the bits it gives beside its sums.
BESIDE = {"t": (1,), "T": (1,), "p": (1, 2)}
_LUTS = {"ha": ((2,), 1), "fa": ((3,), 1), "5:3": ((5,), 2), "6:3": ((6,), 3)}


@dataclass(frozen=True)
class Counter:
    """What a counter takes of every column from its own on (at most) and what it costs.

    ``luts``: LUT sites; ``positions``: those of them in a carry chain (0: none); ``spare``: majorities among its outputs. A chain
    whose outputs leave without flip-flops costs a site more for its last carry and one for each majority: they share the way out
    of the slice with the sums.
    """

    name: str
    takes: tuple[int, ...]
    luts: int
    positions: int
    spare: int = 0

    @property
    def gives(self) -> tuple[int, ...]:
        """Bits by column that a full counter gives."""
        return given(self, self.takes)

    @property
    def removes(self) -> int:
        """Bits fewer after than before, if full."""
        return sum(self.takes) - sum(self.gives)


@lru_cache(maxsize=1024)
def counter(name: str) -> Counter:
    """The counter of a name: ``ha``, ``fa``, ``5:3``, ``6:3`` (LUTs alone) or the atoms of a chain, as ``6``, ``66``, ``624``."""
    if name in _LUTS:
        takes, luts = _LUTS[name]
        return Counter(name, takes, luts, 0)
    columns = [bits for atom in name for bits in ATOMS[atom]]
    columns[0] += name[0] != "t"
    return Counter(name, tuple(columns), len(columns) + name.count("p"), len(columns), _majorities(name))


def luts_beside(kind: Counter, columns: int) -> int:
    """LUTs of a chain that stand at no carry position, if it may fill so many columns: one for every ``p`` below the last."""
    ends = accumulate(len(ATOMS[atom]) for atom in kind.name) if kind.positions else ()
    return sum(atom == "p" and end < columns for atom, end in zip(kind.name, ends, strict=False))


@lru_cache(maxsize=4096)
def given(kind: Counter, filled: tuple[int, ...]) -> tuple[int, ...]:
    """Bits by column that come out where ``filled`` go in: no more than the largest sum has."""
    total, beside, at = 0, [0] * (len(kind.takes) + 3), 0
    for k, n in enumerate(filled):
        total += n << k
    for atom, behind in _followed(kind.name) if kind.positions else ():
        n = filled[at] if at < len(filled) else 0
        apart = _apart(atom, behind, n)
        total -= n - _together(atom, n) << at if apart else 0
        for bit in range(apart):
            beside[at + BESIDE[atom][bit]] += 1
        at += len(ATOMS[atom])
    bits = max(total.bit_length(), max((k + 1 for k, m in enumerate(beside) if m), default=0))
    return tuple((k < total.bit_length()) + (beside[k] if k < len(beside) else 0) for k in range(bits))


def _followed(atoms: str) -> Iterator[tuple[str, str]]:
    """Every atom and the one behind it."""
    return zip(atoms, atoms[1:] + " ", strict=True)


def _majorities(atoms: str) -> int:
    """Majorities that leave a chain."""
    return sum(atom in "tT" and behind != "T" for atom, behind in _followed(atoms))


def _apart(atom: str, behind: str, bits: int) -> int:
    """Bits that an atom of so many bits gives beside its chain, with another atom behind it."""
    if atom in "tT":
        return int(behind != "T" and bits > 1 + (atom == "t"))
    return (bits > 1) + (bits > 3) if atom == "p" else 0


def _together(atom: str, bits: int) -> int:
    """The most that an atom adds to its chain, if it gives bits beside it: of three or five bits counted there the parity alone."""
    return bits - min(bits, 5 if atom == "p" else 3) + 1


def count(netlist: Netlist, kind: Counter, columns: Sequence[Sequence[int]], width: int = 64) -> list[list[int]]:
    """The sum of ``columns[k][i] * 2**k`` modulo ``2**width`` as bits by column: as many as :func:`given` says.

    The columns may hold fewer bits than the counter takes. Late bits belong at the end of their column: the last one goes to the
    carry input.
    """
    assert len(columns) <= len(kind.takes), kind
    assert all(len(c) <= t for c, t in zip(columns, kind.takes, strict=False)), (kind, columns)
    bits = sum(len(c) << k for k, c in enumerate(columns)).bit_length()
    if bits < 2 or width == 0:
        return [list(columns[0])] if bits and width else []
    if not kind.positions:
        return [[b] for b in _in_luts(netlist, columns[0])[: min(bits, width)]]
    shape = given(kind, tuple(len(c) for c in columns))
    return _in_chain(netlist, kind.name, [list(c) for c in columns], shape, width)


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


def _in_chain(netlist: Netlist, atoms: str, columns: list[list[int]], shape: tuple[int, ...], width: int) -> list[list[int]]:
    """The positions that the outputs need, and the last carry; all complemented if that saves inverters at rigid pins."""
    columns += [[] for _ in range(sum(len(ATOMS[a]) for a in atoms) - len(columns))]
    flip = int(_missing(atoms, columns, 1) < _missing(atoms, columns, 0))
    ci, filled = _assigned(netlist, atoms, [[b ^ flip for b in c] for c in columns], flip)
    s: list[int] = []
    di: list[int] = []
    made: list[list[int]] = [[] for _ in shape]
    passed = flip
    for (atom, behind), pins in zip(_followed(atoms), filled, strict=True):
        held = len(columns[len(s)])
        for propagate, generate, *beside in _ATOM[atom](netlist, [*pins, passed] if atom == "T" else pins, flip):
            s.append(propagate)
            di.append(generate)
            passed = beside[0] ^ flip if beside else flip
            for k, bit in enumerate(beside[: _apart(atom, behind, held)], len(s)):
                if k < len(made):
                    made[k].append(bit)
    bits = sum(n > len(m) for n, m in zip(shape, made, strict=True))
    # A carry leaves between atoms only.
    alone = not any(columns[bits - 1 :]) and bits - 1 in accumulate(len(ATOMS[a]) for a in atoms)
    used = bits - 1 if alone and bits <= width else min(bits, len(s), width)
    o, co = netlist.chain(s[:used], di[:used], ci)
    for k, bit in enumerate([*o, co[-1]][:bits]):
        made[k].append(bit ^ flip)
    return made[:width]


def _rigid(atoms: str, columns: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """(column, bits that must be plain) of a chain: the carry input, I5 of every full ``6`` or ``p``, the bypass of every full ``t``."""
    found, at = [], 0
    for k, atom in enumerate(atoms):
        bits, takes, first = len(columns[at]), ATOMS[atom][0], k == 0 and atom not in "tp"
        found.append((at, (k == 0 and bits > takes) + (atom in "6tp" and bits >= takes + first)))
        at += len(ATOMS[atom])
    return found


def _missing(atoms: str, columns: Sequence[Sequence[int]], sign: int) -> int:
    """Plain bits that rigid pins lack, if literals of this sign are plain."""
    return sum(max(0, need - sum((b & 1) == sign or b <= TRUE for b in columns[at])) for at, need in _rigid(atoms, columns))


def _assigned(netlist: Netlist, atoms: str, columns: list[list[int]], missing: int) -> tuple[int, list[list[int]]]:
    """The carry input, and the pins of every atom (of a ``6`` the last one plain), ``missing`` where no bit is."""
    ci, at, filled = missing, 0, []
    for k, atom in enumerate(atoms):
        here = columns[at]
        spare = atom not in "tp" and any(b <= TRUE or not inverted(b) for b in here)
        if k == 0 and (len(here) > ATOMS[atom][0] or spare):
            ci = plain(netlist, _taken(here))
        pins = [*here, *[missing] * (ATOMS[atom][0] - len(here))]
        if atom in "6tp" and len(here) == ATOMS[atom][0]:
            pins.append(plain(netlist, _taken(pins)))
        elif atom == "4":
            pins.append(columns[at + 1][0] if columns[at + 1] else missing)
        filled.append(pins)
        at += len(ATOMS[atom])
    return ci, filled


def _taken(bits: list[int]) -> int:
    """The last plain bit, else the last, out of the list."""
    k = next((i for i in reversed(range(len(bits))) if not inverted(bits[i]) or bits[i] == TRUE), len(bits) - 1)
    return bits.pop(k)


def _six(netlist: Netlist, pins: list[int], _: int) -> list[tuple[int, ...]]:
    parity = netlist.lut6_2(_PARITY, *pins)
    return [parity, netlist.position(lambda *v: sum(v) >> 1 == 1, lambda *v: sum(v) >> 1 == 2, *pins[:5])]


def _pee(netlist: Netlist, pins: list[int], flip: int) -> list[tuple[int, ...]]:
    high, low = netlist.lut2(lambda *v: sum(v) >> 2, lambda *v: sum(v) >> 1 & 1, *(p ^ flip for p in pins[:5]))
    return [(*netlist.lut6_2(_PARITY, *pins), low, high)]


def _four(netlist: Netlist, pins: list[int], _: int) -> list[tuple[int, ...]]:
    low = netlist.position(lambda *v: sum(v) & 1, lambda *v: v[3], *pins[:4])
    return [low, netlist.position(lambda a, b, c, d: (a + b + c >= 2) ^ d, lambda a, b, c, d: d, *pins[:3], pins[4])]


def _two(netlist: Netlist, pins: list[int], _: int) -> list[tuple[int, ...]]:
    return [netlist.position(lambda a, b: a ^ b, lambda a, b: a, *pins)]


def _tee(netlist: Netlist, pins: list[int], flip: int) -> list[tuple[int, ...]]:
    if pins[2] == pins[3] and pins[2] <= TRUE:
        return _two(netlist, pins[:2], flip)
    return _ternary(netlist, pins, flip)


def _ternary(netlist: Netlist, pins: list[int], flip: int) -> list[tuple[int, ...]]:
    propagate, majority = netlist.position(lambda *v: sum(v) & 1, lambda a, b, c, d: a + b + c >= 2, *pins)
    return [(propagate, pins[3], majority ^ flip)]


_ATOM = {"6": _six, "p": _pee, "4": _four, "2": _two, "t": _tee, "T": _ternary}
_PARITY = truth(lambda *v: sum(v) & 1, 6)
