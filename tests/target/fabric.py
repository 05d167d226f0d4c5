"""Netlists for the tests of emission."""

from __future__ import annotations

import random

from hwq.fabric.netlist import FALSE, TRUE, Netlist


def medley(seed: int, luts: int = 12) -> Netlist:
    """Random LUTs of every size, chains of several lengths, flip-flops with and without enable and reset, constants, complements."""
    rng = random.Random(seed)
    n = Netlist()
    bits = [*n.input("x", 7), *n.input("e", 1), TRUE, FALSE]
    for _ in range(luts):
        pins = [rng.choice(bits) ^ rng.randint(0, 1) for _ in range(rng.randint(1, 6))]
        bits.append(n.lut(rng.getrandbits(1 << len(pins)), *pins))
        pins = [rng.choice(bits) ^ rng.randint(0, 1) for _ in range(rng.randint(2, 5))]
        bits.extend(n.lut2(rng.getrandbits(1 << len(pins)), rng.getrandbits(1 << len(pins)), *pins))
        bits.append(n.flop(rng.choice(bits)))
    for length in (1, 3, 8, 13, 2, 20):
        positions = [n.position(rng.getrandbits(8), rng.getrandbits(8), *rng.sample(bits, 3)) for _ in range(length)]
        o, co = n.chain([s for s, _ in positions], [di for _, di in positions], rng.choice([FALSE, TRUE, n.lut(6, *bits[:2])]))
        bits += [*o, co[-1]]
    bits.append(n.flop(bits[-1] ^ 1, enable=n.inputs["e"][0], reset=bits[0]))
    q = n.register(3)
    n.close(q, [n.lut(lambda a, b: a ^ b, q[k], bits[-1 - k]) for k in range(3)], enable=bits[3])
    o6, o5 = n.lut6_2(rng.getrandbits(64), *bits[:6])
    n.output("y", [*bits[-20:], *q, o6, o5 ^ 1, TRUE, FALSE])
    n.output("z", [bits[-2] ^ 1])
    return n
