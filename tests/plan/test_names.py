"""Names from the user's world become safe, unique identifiers."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from hwq.plan.names import identifier, identifiers

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
