"""Names from the user's world become safe, unique identifiers."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hwq.plan.names import identifier, identifiers, port_names
from tests.network.networks import dense_network

HOSTILE = [
    "always",
    "a b",
    'say "hi"',
    "x[3]",
    "../../etc/passwd",
    "é" * 30,
    "q" * 300,
    "",
    "0",
    "$(rm -rf ~)",
    "module",
    "A",
    "a",
    "a_b",
    "a  b",
]


def test_a_plain_name_stays_itself() -> None:
    assert identifier("fc1") == "fc1"


def test_keywords_and_hostile_names_become_identifiers() -> None:
    for name in HOSTILE[:-4]:
        found = identifier(name)
        assert found != name or name == "A"
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,60}", found, re.ASCII), found
        assert "__" not in found


@given(st.lists(st.text(max_size=60), unique=True, max_size=20))
def test_distinct_names_get_distinct_identifiers_without_regard_to_case(names: list[str]) -> None:
    found = identifiers([*names, *HOSTILE])
    lowered = [i.lower() for i in found.values()]
    assert len(set(lowered)) == len(lowered)
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", i, re.ASCII) for i in found.values())


def test_identifiers_do_not_depend_on_the_rest_when_nothing_collides() -> None:
    assert identifiers(["fc1", "fc2"])["fc2"] == identifiers(["fc2"])["fc2"]


def test_the_only_stream_without_a_letter_in_its_name_is_called_by_its_role() -> None:
    network = dense_network((4, 3))
    numbered = replace(
        network,
        inputs=(replace(network.inputs[0], name="0"),),
        nodes=(replace(network.nodes[0], inputs=("0",), outputs=("74",)),),
        outputs=("74",),
    )
    assert port_names(numbered) == {"0": "s_axis_input", "74": "m_axis_output"}
