"""A circuit of fabric primitives under construction: LUT6, LUT6_2, carry chains, flip-flops, DSP slices.

Bits are *literals*: twice the number of a signal, plus one if inverted, so that ``bit ^ 1`` is the complement. Constants are
folded, inverted literals are absorbed into truth tables, equal LUTs are made once: synthesis tools do none of this
through instances.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

__all__ = ["FALSE", "TRUE", "Chain", "Dsp", "Flop", "Lut", "Netlist", "essential", "inverted", "truth"]

FALSE, TRUE = 0, 1

Function = Callable[..., int | bool]


def inverted(bit: int) -> bool:
    """Whether ``bit`` is the complement of a signal. (TRUE is the complement of FALSE.)"""
    return bool(bit & 1)


def truth(function: Function, inputs: int) -> int:
    """Truth table of ``function`` of ``inputs`` bits: bit i is its value where input k is bit k of i."""
    return sum(bool(function(*((i >> k) & 1 for k in range(inputs)))) << i for i in range(1 << inputs))


@dataclass(frozen=True)
class Lut:
    """One LUT site: ``o6 = init[I5 I4 I3 I2 I1 I0]``, ``o5 = init[0 I4 I3 I2 I1 I0]`` (UG574, LUT6_2).

    ``pins`` are plain signals or constants, never complements. With both outputs the LUT is a LUT6_2 and has six pins; with ``o6``
    alone it has one to six pins and may share its site with another one.
    """

    init: int
    pins: tuple[int, ...]
    o6: int
    o5: int | None = None


@dataclass(frozen=True)
class Chain:
    """A carry chain of any length: ``o[k] = s[k] ^ c[k]``, ``c[k+1] = co[k] = s[k] ? c[k] : di[k]``, ``c[0] = ci`` (UG574, CARRY8).

    ``s``, ``di``, ``ci`` are plain signals or constants.
    """

    s: tuple[int, ...]
    di: tuple[int, ...]
    ci: int
    o: tuple[int, ...]
    co: tuple[int, ...]


@dataclass(frozen=True)
class Flop:
    """A D flip-flop on the one clock: ``q`` takes ``d`` where ``enable`` holds, 0 where ``reset`` holds (FDRE). Starts at 0."""

    d: int
    q: int
    enable: int = TRUE
    reset: int = FALSE


@dataclass(frozen=True)
class Dsp:
    """An arithmetic slice: a module with ``parameters``, input and output buses by port name; ``model`` names its portable meaning."""

    model: str
    parameters: tuple[tuple[str, int | str], ...]
    inputs: tuple[tuple[str, tuple[int, ...]], ...]
    outputs: tuple[tuple[str, tuple[int, ...]], ...]


@dataclass
class Netlist:
    """Cells in topological order (:attr:`cells`: LUTs, chains, DSP slices), flip-flops, and ports.

    Build it front to back; :meth:`output` closes it. Nothing is ever removed: see :mod:`hwq.fabric.prune`.
    """

    name: str = "circuit"
    inputs: dict[str, tuple[int, ...]] = field(default_factory=dict)
    outputs: dict[str, tuple[int, ...]] = field(default_factory=dict)
    cells: list[Lut | Chain | Dsp] = field(default_factory=list)
    flops: list[Flop] = field(default_factory=list)
    _signals: int = 1
    _known: dict[object, tuple[int, ...]] = field(default_factory=dict)

    # -- signals and ports

    def signal(self) -> int:
        """A new signal, its positive literal."""
        self._signals += 1
        return 2 * (self._signals - 1)

    @property
    def signals(self) -> int:
        """Signals so far, the constant included: literals are below twice that."""
        return self._signals

    def input(self, name: str, width: int) -> list[int]:
        """A new input port of ``width`` bits, least first."""
        bits = tuple(self.signal() for _ in range(width))
        assert name not in {*self.inputs, *self.outputs}, name
        self.inputs[name] = bits
        return list(bits)

    def output(self, name: str, bits: Sequence[int]) -> None:
        """An output port; bits may be constants and complements (which cost an inverter here)."""
        assert name not in {*self.inputs, *self.outputs}, name
        self.outputs[name] = tuple(bits)

    # -- LUTs

    def lut(self, function: Function | int, *pins: int) -> int:
        """A function of up to six bits, as a callable of bits or as its truth table; a literal.

        A constant or single bit comes back as such; pins that do not matter are dropped; equal functions are shared, complements too.
        """
        table = function if isinstance(function, int) else truth(function, len(pins))
        table, pins = essential(table, pins)
        if not pins:
            return TRUE if table & 1 else FALSE
        if len(pins) == 1:
            return pins[0] ^ (table & 1)
        # The table that is 0 at the all-zero input stands for its complement too.
        flip = table & 1
        full = (1 << (1 << len(pins))) - 1
        init = table ^ full if flip else table
        key = ("lut", init, pins)
        if key not in self._known:
            o6 = self.signal()
            self.cells.append(Lut(init, pins, o6))
            self._known[key] = (o6,)
        return self._known[key][0] ^ flip

    def lut2(self, upper: Function | int, lower: Function | int, *pins: int) -> tuple[int, int]:
        """Two functions of the same up to five bits in one LUT6_2: literals (O6, O5)."""
        assert len(pins) <= 5
        tables = [f if isinstance(f, int) else truth(f, len(pins)) for f in (upper, lower)]
        both, used = _common(tables, pins)
        if len(used) < 2 or any(_is_trivial(t, len(used)) for t in both):
            return self.lut(tables[0], *pins), self.lut(tables[1], *pins)
        wide = [_widened(t, len(used), 5) for t in both]
        return self._dual(wide[1] | wide[0] << 32, (*used, *(FALSE,) * (5 - len(used)), TRUE))

    def position(self, propagate: Function | int, generate: Function | int, *pins: int) -> tuple[int, int]:
        """The LUT of a carry position: plain signals (S on O6, DI on O5) of the same up to five bits, even where one is a bit alone.

        A constant DI leaves O5 free.
        """
        tables = [f if isinstance(f, int) else truth(f, len(pins)) for f in (propagate, generate)]
        used = tuple(sorted({p & ~1 for p in pins if p > TRUE}))
        assert len(used) <= 5
        spread = [_spread(t, pins, used) for t in tables]
        if used and spread[1] in (0, (1 << (1 << len(used))) - 1):
            return self._single(spread[0], used), FALSE ^ (spread[1] & 1)
        upper, lower = (_widened(t, len(used), 5) for t in spread)
        return self._dual(lower | upper << 32, (*used, *(FALSE,) * (5 - len(used)), TRUE))

    def _single(self, init: int, pins: tuple[int, ...]) -> int:
        key = ("single", init, pins)
        if key not in self._known:
            o6 = self.signal()
            self.cells.append(Lut(init, pins, o6))
            self._known[key] = (o6,)
        return self._known[key][0]

    def lut6_2(self, function: Function | int, *pins: int) -> tuple[int, int]:
        """A function of six bits and the same with the last bit at 0: literals (O6, O5). The last pin must not be a complement."""
        assert len(pins) == 6
        assert not inverted(pins[5]) or pins[5] == TRUE, "I5 cannot absorb an inversion: O5 would be the other half"
        table = function if isinstance(function, int) else truth(function, 6)
        for k in range(5):
            if inverted(pins[k]):
                table = _flipped(table, k, 6)
        return self._dual(table, (*(p & ~1 for p in pins[:5]), pins[5]))

    def _dual(self, init: int, pins: tuple[int, ...]) -> tuple[int, int]:
        key = ("dual", init, pins)
        if key not in self._known:
            o6, o5 = self.signal(), self.signal()
            self.cells.append(Lut(init, pins, o6, o5))
            self._known[key] = (o6, o5)
        o6, o5 = self._known[key]
        return o6, o5

    # -- carry chains, flip-flops, slices

    def chain(self, s: Sequence[int], di: Sequence[int], ci: int = FALSE) -> tuple[list[int], list[int]]:
        """A carry chain, equal ones shared; literals of every position's (O, CO). No complement may enter ``di`` or ``ci`` (nor ``s``)."""
        assert len(s) == len(di) > 0
        for bit in (*s, *di, ci):
            assert not inverted(bit) or bit == TRUE, "a carry pin cannot be inverted"
        key = ("chain", tuple(s), tuple(di), ci)
        if key not in self._known:
            o, co = tuple(self.signal() for _ in s), tuple(self.signal() for _ in s)
            self.cells.append(Chain(tuple(s), tuple(di), ci, o, co))
            self._known[key] = o + co
        found = list(self._known[key])
        return found[: len(s)], found[len(s) :]

    def flop(self, d: int, enable: int = TRUE, reset: int = FALSE) -> int:
        """The bit a cycle later. Complements pass through a plain flip-flop: one flip-flop holds a bit and its complement.

        A complement starts at 1 then: pipelines have no meaning before their latency has passed.
        """
        if d in (FALSE, TRUE) and enable == TRUE and reset == FALSE:
            return d
        flip = d & 1 if reset == FALSE else 0
        key = ("flop", d ^ flip, enable, reset)
        if key not in self._known:
            q = self.signal()
            self.flops.append(Flop(d ^ flip, q, enable, reset))
            self._known[key] = (q,)
        return self._known[key][0] ^ flip

    def register(self, width: int) -> list[int]:
        """Outputs of flip-flops whose inputs are not known yet; give them by :meth:`close`."""
        return [self.signal() for _ in range(width)]

    def close(self, q: Sequence[int], d: Sequence[int], enable: int = TRUE, reset: int = FALSE) -> None:
        """Inputs of the flip-flops of :meth:`register`."""
        for bit, source in zip(q, d, strict=True):
            self.flops.append(Flop(source, bit, enable, reset))

    def dsp(
        self, model: str, parameters: dict[str, int | str], inputs: dict[str, Sequence[int]], outputs: dict[str, int]
    ) -> dict[str, list[int]]:
        """A slice; ``outputs`` gives widths by port, the result literals by port."""
        made = {port: [self.signal() for _ in range(width)] for port, width in outputs.items()}
        self.cells.append(
            Dsp(
                model,
                tuple(sorted(parameters.items())),
                tuple((port, tuple(bits)) for port, bits in inputs.items()),
                tuple((port, tuple(bits)) for port, bits in made.items()),
            )
        )
        return made


# -- truth tables


def essential(table: int, pins: Sequence[int]) -> tuple[int, tuple[int, ...]]:
    """The same function of distinct, plain, ordered signals that all matter."""
    signals = sorted({p >> 1 for p in pins if p > TRUE})
    order = {signal: k for k, signal in enumerate(signals)}
    pattern = tuple((-1 if p <= TRUE else order[p >> 1], p & 1) for p in pins)
    reduced, kept = _reduced(table, pattern, len(signals))
    return reduced, tuple(2 * signals[k] for k in kept)


@lru_cache(maxsize=65536)
def _reduced(table: int, pattern: tuple[tuple[int, int], ...], count: int) -> tuple[int, tuple[int, ...]]:
    """``table`` over ``count`` variables: pin k is variable ``pattern[k][0]`` (-1: constant 0), inverted where ``pattern[k][1]``.

    Returns the table over the variables that matter, and which they are.
    """
    result = 0
    for i in range(1 << count):
        index = sum((((i >> variable if variable >= 0 else 0) & 1) ^ flip) << k for k, (variable, flip) in enumerate(pattern))
        result |= ((table >> index) & 1) << i
    kept = list(range(count))
    k = 0
    while k < len(kept):
        low, high = _halves(result, k, len(kept))
        if low == high:
            result = low
            del kept[k]
        else:
            k += 1
    return result, tuple(kept)


def _common(tables: Sequence[int], pins: Sequence[int]) -> tuple[list[int], tuple[int, ...]]:
    """Both functions over the signals that matter to either."""
    used = tuple(sorted({p for t in tables for p in essential(t, pins)[1]}))
    return [_spread(t, pins, used) for t in tables], used


def _spread(table: int, pins: Sequence[int], used: tuple[int, ...]) -> int:
    """The function over the plain signals ``used``, in this order."""
    reduced, matter = essential(table, pins)
    places = [used.index(p) for p in matter]
    result = 0
    for i in range(1 << len(used)):
        index = sum(((i >> place) & 1) << k for k, place in enumerate(places))
        result |= ((reduced >> index) & 1) << i
    return result


def _is_trivial(table: int, inputs: int) -> bool:
    """Whether the function needs no LUT: constant or one bit or its complement."""
    return len(essential(table, tuple(2 * (k + 1) for k in range(inputs)))[1]) < 2


def _halves(table: int, k: int, inputs: int) -> tuple[int, int]:
    """Tables of the function with input ``k`` at 0 and at 1, of one input less."""
    low = high = 0
    mask = (1 << (1 << k)) - 1
    step = 1 << k
    for block in range(1 << (inputs - k - 1)):
        part = table >> (2 * block * step)
        low |= (part & mask) << (block * step)
        high |= ((part >> step) & mask) << (block * step)
    return low, high


def _flipped(table: int, k: int, inputs: int) -> int:
    """The function of the complement of input ``k``."""
    return sum(((table >> (i ^ (1 << k))) & 1) << i for i in range(1 << inputs))


def _widened(table: int, inputs: int, to: int) -> int:
    for k in range(inputs, to):
        table |= table << (1 << k)
    return table
