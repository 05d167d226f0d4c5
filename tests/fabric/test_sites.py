"""The counter of physical LUTs on circuits small enough to count by hand."""

from __future__ import annotations

import random
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwq.errors import InputError
from hwq.fabric.cells import Block, Cells
from hwq.fabric.levels import depth
from hwq.fabric.netlist import FALSE, TRUE, Lut, Netlist
from hwq.fabric.pairing import Single, may_share, neighbours
from hwq.fabric.sites import Sites, count_sites, sites_of


def parity(*bits: int) -> int:
    return sum(bits) & 1


def both(*bits: int) -> bool:
    return all(bits)


def counted(n: Netlist) -> Sites:
    sites = sites_of(n)
    assert sites.exact
    return sites


def test_two_small_luts_share_a_site_and_six_inputs_do_not() -> None:
    n = Netlist()
    x = n.input("x", 7)
    n.output("y", [n.lut(parity, *x[:3]), n.lut(both, *x[2:5])])
    assert (counted(n).luts, counted(n).luts_related, counted(n).cells, counted(n).pairs) == (1, 1, 2, 1)
    n.output("z", [n.lut(parity, *x[:6]), n.lut(both, *x[1:7])])
    assert (counted(n).luts, counted(n).cells) == (3, 4)


def test_strangers_share_only_in_the_lower_count() -> None:
    n = Netlist()
    x = n.input("x", 5)
    n.output("y", [n.lut(parity, *x[:2]), n.lut(parity, *x[2:5])])
    assert (counted(n).luts, counted(n).luts_related) == (1, 2)


def test_three_inputs_and_three_others_are_one_too_many() -> None:
    n = Netlist()
    x = n.input("x", 6)
    n.output("y", [n.lut(parity, *x[:3]), n.lut(parity, *x[3:6])])
    assert counted(n).luts == 2


def test_the_best_partner_is_found_not_the_first() -> None:
    # A path a-b-c-d in which taking b-c would leave two alone.
    n = Netlist()
    x = n.input("x", 12)
    a, b, c, d = x[:5], x[1:5], [*x[2:5], x[6]], [x[2], x[4], x[6], x[7], x[8]]
    n.output("y", [n.lut(parity, *pins) for pins in (a, b, c, d)])
    assert [len({*p, *q}) for p, q in ((a, b), (b, c), (c, d), (a, c))] == [5, 5, 6, 6]
    assert counted(n).luts == 3
    n.output("z", [n.lut(both, x[6], x[7], x[8], x[2], x[4])])
    assert counted(n).luts == 3


def test_what_no_output_needs_is_not_counted() -> None:
    n = Netlist()
    x = n.input("x", 6)
    n.output("y", [n.lut(parity, *x[:3])])
    n.flop(n.lut(both, *x))
    n.lut2(parity, both, *x[:4])
    sites = counted(n)
    assert (sites.luts, sites.ff, sites.cells) == (1, 0, 1)


def test_half_of_a_two_output_lut_is_an_ordinary_one() -> None:
    n = Netlist()
    x = n.input("x", 5)
    o6, _ = n.lut2(parity, both, *x[:4])
    n.output("y", [o6, n.lut(both, *x[:5])])
    assert (counted(n).luts, counted(n).cells) == (1, 2)


def adder(n: Netlist, width: int, ci: int = FALSE) -> tuple[list[int], list[int]]:
    """a + b by LUT2 for S and a by the bypass pin."""
    a, b = n.input("a", width), n.input("b", width)
    return n.chain([n.lut(parity, p, q) for p, q in zip(a, b, strict=True)], a, ci)


def test_an_adder_takes_a_site_a_bit() -> None:
    n = Netlist()
    o, _ = adder(n, 11)
    n.output("y", o)
    sites = counted(n)
    assert (sites.luts, sites.carry_positions, sites.carry, sites.route_throughs, sites.conflicts, sites.depth) == (11, 11, 2, 0, 0, 1)


def test_the_last_carry_and_sum_leaving_both_cost_a_site_unless_registered() -> None:
    n = Netlist()
    o, co = adder(n, 4)
    n.output("y", [*o, co[-1]])
    assert (counted(n).luts, counted(n).conflicts) == (5, 1)
    n = Netlist()
    o, co = adder(n, 4)
    n.output("y", [*o, n.flop(co[-1])])
    assert (counted(n).luts, counted(n).conflicts) == (4, 0)


def test_a_carry_read_by_a_lut_and_its_sum_conflict() -> None:
    n = Netlist()
    o, co = adder(n, 4)
    x = n.input("x", 5)
    n.output("y", [*o, n.lut(parity, co[1], *x)])
    assert (counted(n).luts, counted(n).conflicts) == (6, 1)


def test_unused_positions_at_the_end_are_free_and_constants_inside_are_not() -> None:
    n = Netlist()
    a = n.input("a", 8)
    b = n.input("b", 8)
    s = [n.lut(parity, p, q) for p, q in zip(a, b, strict=True)]
    o, _ = n.chain([*s[:3], TRUE, *s[3:], FALSE], [*a[:3], FALSE, *a[3:], FALSE])
    n.output("y", o[:6])
    sites = counted(n)
    assert (sites.luts, sites.route_throughs, sites.carry_positions) == (6, 1, 6)


def test_s_from_a_flip_flop_or_from_another_position_is_routed_through() -> None:
    n = Netlist()
    x = n.input("x", 3)
    s = n.lut(parity, *x)
    o, _ = n.chain([n.flop(x[0]), s, s], [FALSE] * 3)
    n.output("y", [n.flop(b) for b in o])
    sites = counted(n)
    assert (sites.luts, sites.route_throughs) == (3, 2)


def test_the_lut_of_di_shares_the_site_of_its_position() -> None:
    def chain(readers_of_di: int) -> Sites:
        n = Netlist()
        x = n.input("x", 5)
        di = n.lut(both, *x)
        _, co = n.chain([n.lut(parity, *x[:4])], [di])
        n.output("y", [co[0], *([di] if readers_of_di > 1 else [])])
        return counted(n)

    assert (chain(1).luts, chain(1).pairs) == (1, 1)
    assert chain(2).luts == 2  # the one output multiplexer of the position is taken by CO


def test_any_lut_shares_a_position_whose_sum_is_registered() -> None:
    def chain(registered: bool) -> int:
        n = Netlist()
        x = n.input("x", 5)
        o, _ = n.chain([n.lut(parity, *x[:4])], [FALSE])
        n.output("y", [n.flop(o[0]) if registered else o[0], n.lut(both, *x)])
        return counted(n).luts

    assert (chain(True), chain(False)) == (1, 2)


def test_o5_beside_a_combinational_sum_conflicts() -> None:
    def chain(registered: bool, elsewhere: bool) -> tuple[int, int]:
        n = Netlist()
        x = n.input("x", 4)
        s, di = n.position(parity, both, *x)
        o, co = n.chain([s], [di])
        n.output("y", [n.flop(o[0]) if registered else o[0], n.flop(co[0]), *([di] if elsewhere else [])])
        sites = counted(n)
        return sites.luts, sites.conflicts

    assert chain(False, False) == (1, 0)
    assert chain(False, True) == (2, 1)
    assert chain(True, True) == (1, 0)


def test_a_variable_carry_in_and_a_bypassed_di_want_the_same_pin() -> None:
    n = Netlist()
    o, _ = adder(n, 4, n.input("c", 1)[0])
    n.output("y", o)
    assert (counted(n).luts, counted(n).conflicts) == (5, 1)
    n = Netlist()
    x = n.input("x", 6)
    positions = [n.position(parity, lambda a, b: a, x[k], x[k + 1]) for k in (0, 2)]
    o, _ = n.chain([s for s, _ in positions], [di for _, di in positions], n.input("c", 1)[0])
    n.output("y", o)
    assert (counted(n).luts, counted(n).conflicts) == (2, 0)


def carried_in(n: Netlist, s: int, di: int) -> None:
    """A chain of one position with a variable carry-in, all of it registered."""
    o, co = n.chain([s], [di], n.input(f"ci{len(n.inputs)}", 1)[0])
    n.output(f"y{len(n.inputs)}", [n.flop(o[0]), n.flop(co[0])])


def test_the_luts_of_s_and_di_beside_a_variable_carry_in_share_a_site_with_nobody_else() -> None:
    # Each could share with one of the others: but then DI needs the bypass pin, which the carry-in has. {S, DI}, p, q.
    n = Netlist()
    x = n.input("x", 10)
    carried_in(n, n.lut(parity, *x[:2]), n.lut(both, *x[2:4]))
    n.output("z", [n.flop(n.lut(parity, *x[:2], *x[4:7])), n.flop(n.lut(parity, *x[2:4], *x[7:10]))])
    assert (counted(n).luts, counted(n).conflicts, counted(n).pairs) == (3, 0, 1)


def test_s_and_di_that_cannot_share_cost_a_site_beside_a_variable_carry_in() -> None:
    n = Netlist()
    x = n.input("x", 6)
    carried_in(n, n.lut(parity, *x[:3]), n.lut(both, *x[3:]))
    assert (counted(n).luts, counted(n).conflicts) == (3, 1)
    n = Netlist()
    x = n.input("x", 4)
    o, _ = n.chain([n.lut(parity, *x)], [di := n.lut(both, *x)], n.input("ci", 1)[0])
    n.output("y", [o[0], di])  # no conflict: the carry-out is not needed, nor is DI
    assert (counted(n).luts, counted(n).conflicts) == (2, 0)
    o, co = n.chain([n.lut(parity, *x[:3])], [di], n.inputs["ci"][0])
    n.output("z", [co[0]])  # now O5 would leave where CO does
    assert (counted(n).luts, counted(n).conflicts) == (4, 1)


def test_a_lut_is_di_beside_a_variable_carry_in_for_one_chain() -> None:
    n = Netlist()
    x = n.input("x", 6)
    di = n.lut(both, *x[4:])
    carried_in(n, n.lut(parity, *x[:2]), di)
    assert (counted(n).luts, counted(n).conflicts) == (1, 0)
    carried_in(n, n.lut(parity, *x[2:4]), di)
    assert (counted(n).luts, counted(n).conflicts) == (3, 1)


def test_both_outputs_of_a_lut_serve_one_variable_carry_in() -> None:
    n = Netlist()
    x = n.input("x", 4)
    s, di = n.position(parity, both, *x)
    carried_in(n, s, di)
    assert (counted(n).luts, counted(n).conflicts, counted(n).route_throughs) == (1, 0, 0)
    carried_in(n, s, di)  # the second chain's S is routed through, its DI finds the pin taken
    assert (counted(n).luts, counted(n).conflicts, counted(n).route_throughs) == (3, 1, 1)


def selected(luts: list[Lut], *muxes: tuple[str, int, int, int], also: tuple[int, ...] = ()) -> Sites:
    """Multiplexers (kind, I0, I1, output) that share a select, over ``luts``; the outputs of all are needed."""
    blocks = [Block(kind, (i0, i1, 100), (out,), False) for kind, i0, i1, out in muxes]
    return count_sites(Cells(luts, [], [], blocks, [*(m[3] for m in muxes), *also]))


XOR, AND = 0b0110, 0b1000


def test_each_lut_below_a_multiplexer_has_a_site_of_its_own() -> None:
    luts = [Lut(AND, (2, 4), 40), Lut(XOR, (2, 4), 42)]
    one = selected(luts, ("MUXF7", 40, 42, 60))
    assert (one.luts, one.pairs, one.route_throughs, one.muxes) == (2, 0, 0, 1)
    # A third one goes beside either of them.
    assert selected([*luts, Lut(XOR, (2, 6), 44)], ("MUXF7", 40, 42, 60), also=(44,)).luts == 2


def test_what_is_no_lut_is_routed_through_one_to_a_multiplexer() -> None:
    assert (selected([], ("MUXF7", 2, 4, 60)).luts, selected([], ("MUXF7", FALSE, TRUE, 60)).luts) == (2, 2)
    assert (selected([], ("MUXF7", 3, 4, 60)).luts, selected([], ("MUXF7", 3, 5, 60)).luts) == (2, 2)  # inverters are LUTs
    # A LUT's output is wired to one multiplexer.
    luts = [Lut(AND, (2, 4), 40), Lut(XOR, (2, 4), 42)]
    assert selected(luts, ("MUXF7", 40, 42, 60), ("MUXF7", 42, 40, 62)).luts == 4


def test_larger_multiplexers_stand_on_smaller_ones() -> None:
    luts = [Lut(AND if k % 2 else XOR, (2 + 2 * k, 4 + 2 * k), 40 + 2 * k) for k in range(4)]
    f7 = (("MUXF7", 40, 42, 60), ("MUXF7", 44, 46, 62))
    whole = selected(luts, *f7, ("MUXF8", 60, 62, 70))
    assert (whole.luts, whole.muxes, whole.route_throughs) == (4, 3, 0)
    assert selected(luts[:2], f7[0], ("MUXF8", 60, 2, 70)).luts == 3
    assert selected(luts, *f7, ("MUXF8", 60, 62, 70), ("MUXF9", 70, 44, 80)).luts == 5


def memory(kind: str) -> Sites:
    return count_sites(Cells([], [], [], [Block(kind, (2, 4), (6,), False, 1)], [6]))


@pytest.mark.parametrize(
    ("kind", "luts"),
    [("RAM256X1D", 8), ("RAM512X1S", 8), ("RAM32X16DR8", 8), ("RAM64X8SW", 8), ("RAM256X1S", 4), ("RAM32M16", 8), ("SRLC32E", 1)],
)
def test_memories_of_luts(kind: str, luts: int) -> None:
    assert (memory(kind).lutram, memory(kind).luts) == (luts, 0)


@pytest.mark.parametrize("kind", ["RAM512X1D", "SRLC64E", "CFGLUT5", "RAMB36E5"])
def test_a_memory_nobody_knows_is_refused(kind: str) -> None:
    with pytest.raises(InputError, match=f"cell {kind} takes is not known") as caught:
        memory(kind)
    assert caught.value.code == "CELL-MEMORY"


def test_a_complement_costs_a_lut_where_no_lut_reads_it() -> None:
    n = Netlist()
    x = n.input("x", 2)
    n.output("y", [x[0] ^ 1])
    assert (counted(n).luts, counted(n).inverters, counted(n).cells, counted(n).depth) == (1, 1, 0, 1)
    n.output("z", [n.lut(both, x[0] ^ 1, x[1])])
    assert (counted(n).luts, counted(n).pairs) == (1, 1)


@pytest.mark.parametrize(
    ("lengths", "carry8"), [([8], 1), ([4, 4], 1), ([3, 2, 1], 2), ([5, 4], 2), ([9, 10, 2, 2, 1], 5), ([17], 3), ([16, 12], 4)]
)
def test_short_chains_share_a_carry8(lengths: list[int], carry8: int) -> None:
    n = Netlist()
    ends = []
    for k, length in enumerate(lengths):
        x = n.input(f"x{k}", length)
        _, co = n.chain(x, [FALSE] * length)
        ends.append(co[-1])
    n.output("y", ends)
    assert counted(n).carry == carry8


def test_flip_flops_and_clbs() -> None:
    n = Netlist()
    x = n.input("x", 40)
    n.output("y", [n.flop(b) for b in x])
    sites = counted(n)
    assert (sites.ff, sites.luts, sites.clb, sites.depth) == (40, 0, 3, 0)


def test_the_lower_output_does_not_wait_for_the_sixth_input() -> None:
    n = Netlist()
    x = n.input("x", 6)
    late = n.lut(parity, *x)
    o6, o5 = n.lut6_2(parity, *x[:5], late)
    n.output("y", [n.lut(both, o5, *x[:2])])
    n.output("late", [n.flop(o6)])
    assert counted(n).depth == 2 == depth(n)


def test_a_sum_does_not_wait_for_the_di_of_its_own_position() -> None:
    n = Netlist()
    x = n.input("x", 4)
    o, _ = n.chain([x[0]], [n.lut(both, n.lut(parity, *x), x[1])])
    n.output("y", o)
    assert (counted(n).depth, counted(n).luts) == (0, 1)


def test_a_slice_counts_as_registered_unless_told_otherwise() -> None:
    def made(preg: int) -> Sites:
        n = Netlist()
        x = n.input("x", 4)
        p = n.dsp("own", {"PREG": preg}, {"A": [n.lut(parity, *x)]}, {"P": 2})["P"]
        n.output("y", [n.lut(both, *p)])
        return counted(n)

    assert [(made(k).dsp, made(k).depth) for k in (0, 1)] == [(1, 2), (1, 1)]


@given(st.integers(0, 2**32))
def test_groups_find_every_pair_that_may_share(seed: int) -> None:
    rng = random.Random(seed)
    luts = [
        Single(frozenset(rng.sample(range(9), rng.randint(1, 6))), rng.choice([None, None, 1, 2]), False, rng.choice([None, 1, 2]))
        for _ in range(12)
    ]
    luts = [Single(s.pins, s.takes, s.takes is not None and rng.random() < 0.5, None if s.takes else s.generates) for s in luts]
    for related in (False, True):
        found, complete = neighbours(luts, related)
        expected = {
            (a, b)
            for a, b in combinations(range(len(luts)), 2)
            if may_share(luts[a], luts[b]) and (not related or luts[a].pins & luts[b].pins)
        }
        assert complete
        assert {(a, b) for a, others in enumerate(found) for b in others if a < b} == expected


def test_large_groups_are_thinned_out_and_said_so() -> None:
    n = Netlist()
    x = n.input("x", 2000)
    n.output("y", [n.lut(parity, a, b) for a, b in pairwise(x)])
    sites = sites_of(n)
    assert not sites.exact
    assert sites.luts == 1000  # 1 999 LUT2, any two of them in one site: none but one is left alone
