from __future__ import annotations

from hwq.network.ops import Window
from hwq.plan.waiting import deepest_fifo
from tests.plan.dataflows import Builder


def test_a_skip_waits_for_the_first_row_of_the_convolution() -> None:
    b = Builder()
    x, y = b.fork(b.source(4, 4, height=6, width=6), 2)
    x = b.mvu(x, 4, 4, 9, 2, 5, Window((3, 3), (1, 1), (1, 1, 1, 1)))
    y = b.fifo(b.fifo(y, 12), 3)
    b.sink(b.join([x, y], 2, 1))
    waiting = deepest_fifo(b.dataflow())
    assert waiting is not None
    assert (waiting.fifo, waiting.depth, waiting.reader, waiting.waits_for) == ("fifo3", 12, "join5", "mvu2")
    # The first word is offered in cycle 1, the nine taps are read from cycle 2 on; L = 5: valid in 16. The word of the skip is valid
    # in 3.
    assert str(waiting) == "waits 13 cycles for the first row of mvu2"


def test_without_a_join_nothing_waits() -> None:
    b = Builder()
    b.sink(b.fifo(b.source(4, 2), 5))
    assert deepest_fifo(b.dataflow()) is None
