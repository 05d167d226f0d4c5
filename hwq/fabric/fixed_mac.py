"""Fixed-point multiply-accumulate: products summed exactly, rounded, added to a saturating accumulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from hwq.fabric.embed import delayed, embed
from hwq.fabric.heap import BitHeap, reduce
from hwq.fabric.lanes.product import add_products, product_front
from hwq.fabric.multiplier import Number
from hwq.fabric.netlist import Netlist
from hwq.fabric.pipeline import pipeline
from hwq.fabric.prune import prune
from hwq.fabric.saturation import saturating_accumulator
from hwq.numerics.encoding import Encoding
from hwq.numerics.rounding import Rounding

__all__ = ["FixedMac", "rounded_shift"]


@dataclass(frozen=True)
class FixedMac:
    """``total = clip((0 if first else total) + round(sum over k of x[k] * w[k] / 2**shift))``, a chunk of ``n`` products a cycle.

    With ``shift`` 0 bit-exact with :class:`hwq.network.ops.Saturating` of ``bits`` bits and chunks of ``n``; the shift is the
    multiply-accumulate of fixed-point numbers whose accumulator has fewer fraction bits than their product.
    Rounding: ``FLOOR``, ``HALF_UP``, ``CEIL`` (a constant of the heap) or ``HALF_EVEN`` (and a LUT or two).

    Timing: initiation interval 1; ``total`` stands :attr:`latency` cycles after its last operands. Products in LUTs, ``levels`` a stage.

    Ports: ``x``, ``w``: code k from bit ``k * bits`` on; ``valid``, ``first``; ``total``: ``bits`` bits, two's complement.
    """

    x: Encoding
    w: Encoding
    n: int
    bits: int
    shift: int = 0
    rounding: Rounding = Rounding.FLOOR
    levels: int = 3

    @property
    def latency(self) -> int:
        """Cycles from operands to ``total``."""
        return self._built[1]

    def netlist(self) -> Netlist:
        """The circuit."""
        return self._built[0]

    @cached_property
    def _built(self) -> tuple[Netlist, int]:
        part, latency = pipeline(prune(self._sum()), self.levels)
        made = Netlist("fixed_mac")
        ports = {name: made.input(name, len(bits)) for name, bits in part.inputs.items()}
        late = [delayed(made, made.input(name, 1), latency)[0] for name in ("valid", "first")]
        addend = embed(made, part, ports)["y"]
        made.output("total", saturating_accumulator(made, addend, self.bits, *late))
        return prune(made), latency + 1

    def _sum(self) -> Netlist:
        netlist = Netlist("sum")
        x, w = (self._numbers(netlist, name, encoding) for name, encoding in (("x", self.x), ("w", self.w)))
        heap = BitHeap(netlist)
        add_products(heap, list(zip(x, w, strict=True)), product_front(self.x, self.w, self.n).kind)
        extremes = [a * b * self.n for a in (self.x.lo, self.x.hi) for b in (self.w.lo, self.w.hi)]
        width = max((-min(*extremes, -1) - 1).bit_length(), max(*extremes, 0).bit_length()) + 2
        netlist.output("y", rounded_shift(heap, width, self.shift, self.rounding))
        return netlist

    def _numbers(self, netlist: Netlist, name: str, encoding: Encoding) -> list[Number]:
        bits, port = encoding.bits, netlist.input(name, self.n * encoding.bits)
        return [Number(tuple(port[k * bits : (k + 1) * bits]), encoding.signed) for k in range(self.n)]


def rounded_shift(heap: BitHeap, width: int, shift: int, rounding: Rounding) -> Sequence[int]:
    """The heap's sum, a two's complement number of at most ``width - 1`` bits, divided by ``2**shift`` and rounded."""
    half = 1 << (shift - 1) if shift else 0
    heap.constant({Rounding.FLOOR: 0, Rounding.CEIL: (1 << shift) - 1}.get(rounding, half))
    width = max(width, shift + 1)
    bits = list(reduce(heap, width).bits)
    kept = bits[shift:]
    if rounding is Rounding.HALF_EVEN and shift:
        # What was rounded up from a tie has no bits below: it goes back to the even one.
        waiting = bits[:shift]
        while len(waiting) > 5:
            waiting = [*waiting[6:], heap.netlist.lut(lambda *v: any(v), *waiting[:6])]
        kept[0] = heap.netlist.lut(lambda *v: v[-1] and any(v[:-1]), *waiting, kept[0])
    else:
        assert rounding in (Rounding.FLOOR, Rounding.CEIL, Rounding.HALF_UP, Rounding.HALF_EVEN), rounding
    return kept
