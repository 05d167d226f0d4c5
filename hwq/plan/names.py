"""Names from the user's world as Verilog identifiers: ASCII, unique, never a keyword, the same on every run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

from hwq.network.graph import Network

__all__ = ["identifier", "identifiers", "port_names", "top_name"]

LONGEST = 40
KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        """always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config deassign default defparam design
    disable edge else end endcase endconfig endfunction endgenerate endmodule endprimitive endspecify endtable endtask event
    for force forever fork function generate genvar highz0 highz1 if ifnone incdir include initial inout input instance integer
    join large liblist library localparam macromodule medium module nand negedge nmos nor noshowcancelled not notif0 notif1 or
    output parameter pmos posedge primitive pull0 pull1 pulldown pullup pulsestyle_onevent pulsestyle_ondetect rcmos real
    realtime reg release repeat rnmos rpmos rtran rtranif0 rtranif1 scalared showcancelled signed small specify specparam
    strong0 strong1 supply0 supply1 table task time tran tranif0 tranif1 tri tri0 tri1 triand trior trireg unsigned use
    vectored wait wand weak0 weak1 while wire wor xnor xor
    logic bit byte int longint shortint class package interface modport program property sequence string struct union enum
    typedef import export virtual void this super new null static const rand local protected final do return break continue
    assert assume cover alias checker clocking constraint context covergroup coverpoint cross dist expect extends extern first_match
    foreach forkjoin global iff ignore_bins illegal_bins implements implies inside interconnect intersect join_any join_none let
    matches nettype nexttime packed priority pure randc randcase randsequence ref reject_on restrict s_always s_eventually
    s_nexttime s_until s_until_with shortreal soft solve strong sync_accept_on sync_reject_on tagged throughout timeprecision
    timeunit type unique unique0 until until_with untyped uwire var wait_order weak wildcard with within
    entity architecture signal process library work all is""",
    )
)


def _safe(name: str) -> str:
    """ASCII letters, digits and single underscores, beginning with a letter; lossy."""
    text = re.sub(r"[^0-9A-Za-z]+", "_", name).strip("_")[:LONGEST].strip("_")
    return text if text[:1].isalpha() else f"n{text}"


def identifier(name: str, *, hashed: bool = False, prefixed: bool = False) -> str:
    """A Verilog identifier for ``name``: itself where it is one, else a sanitised form and a hash of the original.

    Hyphens, dots and spaces become underscores without a hash. ``hashed`` appends the hash in any case; ``prefixed``
    says that the identifier is used behind a prefix, where a keyword or a leading digit does no harm.
    """
    safe = _safe(name)
    plain = re.sub(r"[-. ]", "_", name)
    if not hashed and (safe == plain or (prefixed and safe == f"n{plain}")) and (prefixed or safe.lower() not in KEYWORDS):
        return plain
    return f"{safe}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def identifiers(names: Iterable[str], *, hashed: bool = False, prefixed: bool = False) -> dict[str, str]:
    """Distinct identifiers of distinct ``names``, also when compared without case (file systems, VHDL)."""
    result: dict[str, str] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(names):
        choice = identifier(name, hashed=hashed, prefixed=prefixed)
        if choice.lower() in taken:
            choice = identifier(name, hashed=True)
        stem, n = choice, 2
        while choice.lower() in taken:
            choice, n = f"{stem}_{n}", n + 1
        taken.add(choice.lower())
        result[name] = choice
    return result


def port_names(network: Network) -> dict[str, str]:
    """Prefix of the AXI4-Stream port of every graph input and output, by tensor: ``s_axis_<input>``, ``m_axis_<output>``.

    The only input or output is called ``input`` or ``output`` where its name has no letter.
    """
    ports = {n: f"s_axis_{i}" for n, i in _telling([i.name for i in network.inputs], "input").items()}
    ports.update({n: f"m_axis_{i}" for n, i in _telling(network.outputs, "output").items()})
    return ports


def _telling(names: Sequence[str], role: str) -> dict[str, str]:
    """Identifiers behind a prefix. Exporters call tensors ``0`` or ``74``: the only one is then called by its role."""
    if len(names) == 1 and not any(c.isalpha() for c in names[0]):
        return {names[0]: role}
    return identifiers(names, prefixed=True)


def top_name(name: str) -> str:
    """Name of the top module, and of its files, for a network or a name the user chose."""
    return identifier(name)
