from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwq.errors import InputError, Problems
from hwq.network.file import network_hash
from hwq.network.graph import Network
from hwq.numerics.encoding import Integer
from hwq.plan.draft import FifoDraft, PlanDraft
from hwq.plan.file import plan_text, read_draft, read_plan, write_plan
from hwq.plan.plan import FifoPlan, Plan, StagePlan, StreamPlan
from hwq.plan.planner import plan_network
from hwq.target.boards import load_device
from tests.plan import convnets
from tests.plan.networks import dense, networks, two_outputs

NET = dense([12, 8, 5])
GOOD = plan_text(plan_network(NET, load_device("vu9p")), NET)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(tmp_path: Path, text: str, network: Network = NET) -> list[str]:
    with pytest.raises(Problems) as caught:
        read_draft(written(tmp_path, text), network)
    return [str(p) for p in caught.value.entries()]


@given(network=networks())
@settings(max_examples=15, deadline=None)
def test_a_plan_reads_back_equal(network: Network, tmp_path_factory: pytest.TempPathFactory) -> None:
    plan = plan_network(network, load_device("vu9p"))
    path = tmp_path_factory.mktemp("plan") / "plan.toml"
    write_plan(plan, path, network)
    assert read_plan(path, network) == plan
    assert path.read_text() == plan_text(read_plan(path, network), network)


@given(name=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
@settings(max_examples=60, deadline=None)
def test_any_name_survives(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    plan = Plan("0" * 64, name, 1.5, (StreamPlan(name, 8),), (StagePlan(name),), (FifoPlan(name, 3),))
    path = tmp_path_factory.mktemp("plan") / "plan.toml"
    write_plan(plan, path)
    assert read_draft(path) == PlanDraft.of(plan)


@pytest.mark.parametrize("network", [two_outputs(), convnets.unet(), convnets.residual(), convnets.inception()], ids=lambda n: n.name)
def test_networks_of_every_kind_read_back(network: Network, tmp_path: Path) -> None:
    plan = plan_network(network, load_device("vu9p"))
    assert bool(plan.fifos) or network.name == "forked"
    write_plan(plan, tmp_path / "p.toml", network)
    assert read_plan(tmp_path / "p.toml", network) == plan


def test_the_memories_of_fifos_and_buffers_are_read(tmp_path: Path) -> None:
    text = GOOD + '[[fifo]]\nname = "f"\ndepth = 3\nmemory = "ultra"\n'
    draft = read_draft(written(tmp_path, text.replace('constants = "auto"', 'constants = "block"')), NET)
    assert draft.fifos["f"] == FifoDraft("f", 3, "ultra")
    assert {s.constants for s in draft.stages.values()} == {"block"}
    (found,) = problems(tmp_path, GOOD + '[[fifo]]\nname = "f"\ndepth = 3\nmemory = "uram"\n')
    assert "memory is 'uram', expected one of auto, lutram, block, ultra" in found


def test_a_convolution_is_commented_with_its_image() -> None:
    network = convnets.residual()
    assert "[[stage]]  # 72 x 8, 9 x 1 folds, 8x8 pixels" in plan_text(plan_network(network, load_device("vu9p")), network)


def test_the_file_of_format_version_1_still_reads() -> None:
    text = Path(__file__).parent / "plan_v1.toml"
    draft = read_draft(text)
    assert draft.stages["fc0"].pe == 8
    assert draft.streams == {"x": 64, "acc1": 64}
    assert draft.is_complete


def test_stages_are_commented_with_their_folds() -> None:
    assert "[[stage]]  # 12 x 8, 1 x 1 folds" in GOOD
    assert GOOD.startswith("# How the network is computed")


def test_fifos_are_commented_with_their_place_and_width(tmp_path: Path) -> None:
    network = convnets.residual()
    first = network.nodes[0].name
    for name, written in ((first, first), ("a\nb = 1", '"a\\u000ab = 1"')):
        renamed = replace(network, nodes=(replace(network.nodes[0], name=name), *network.nodes[1:]))
        plan = plan_network(renamed, load_device("vu9p"))
        text = plan_text(plan, renamed)
        found = re.findall(r"\[\[fifo\]\]  # from (.+) to (.+), words of (\d+) bits\n", text)
        assert len(found) == len(plan.fifos) > 0
        assert written in {end for row in found for end in row}
        (tmp_path / "p.toml").write_text(text)
        assert read_plan(tmp_path / "p.toml", renamed) == plan


def test_lines_left_out_are_open(tmp_path: Path) -> None:
    text = "\n".join(line for line in GOOD.splitlines() if not line.startswith(("buffer", "depth =", "memory", "[[fifo"))) + "\n"
    draft = read_draft(written(tmp_path, 'format_version = 1\n[[stage]]\nname = "fc1"\npe = 2\n'), NET)
    assert (draft.stages["fc1"].pe, draft.stages["fc1"].simd, draft.network) == (2, None, None)
    draft = read_draft(written(tmp_path, text), NET)
    assert draft.stages["fc0"].buffer is None
    with pytest.raises(Problems, match="stage fc0: memory, buffer, depth missing"):
        read_plan(written(tmp_path, text), NET)


def test_a_missing_stage_is_a_gap_of_a_whole_plan_only(tmp_path: Path) -> None:
    head, _, _ = GOOD.partition("[[stage]]")
    read_draft(written(tmp_path, head), NET)
    with pytest.raises(Problems, match="stage fc1: this stage has no table"):
        read_plan(written(tmp_path, head), NET)


def test_the_plan_of_another_network(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, GOOD, dense([12, 8, 6]))
    assert "this is the plan of another network" in found
    assert network_hash(NET)[:12] in found


def test_all_problems_at_once(tmp_path: Path) -> None:
    text = """
format_version = 1
[[stream]]
name = "x"
bus_bits = 48
[[stage]]
name = "fc0"
pe = 9
simd = 13
style = "constant"
[[stage]]
name = "fc2"
[[stage]]
name = "fc1"
simd = 3
buffer = 2
memory = "uram"
depth = 0
[[fifo]]
name = "fc1.converter"
depth = 0
"""
    found = problems(tmp_path, text)
    assert [f.split(":")[0] for f in found] == [
        "stream x",
        "stage fc2",
        "stage fc0",
        "stage fc0",
        *["stage fc1"] * 3,
        "fifo fc1.converter",
    ]
    expected = ["48, expected a power of two", "no stage of this name", "pe is 9, expected 1..8", "simd is 13, expected 1..12"]
    expected += ["memory is 'uram'", "depth is 0", "buffer is 2, expected 3..", "depth is 0"]
    for e, f in zip(expected, found, strict=True):
        assert e in f


def test_mistakes_of_form_and_of_content_are_told_together(tmp_path: Path) -> None:
    text = """
sped = 3
[[stage]]
name = "fc0"
pe = 9
smd = 2
[[stage]]
pe = 2
[[stage]]
name = "fc1"
pe = "all"
depth = 0
[[fifo]]
name = "a"
"""
    found = problems(tmp_path, text)
    expected = ["'sped' is no field", "'smd' is no field", "name is missing", "pe is 'all'", "depth is missing"]
    expected += ["pe is 9, expected 1..8", "depth is 0"]
    assert len(found) == len(expected)
    for e, f in zip(expected, found, strict=True):
        assert e in f
    assert "Nearest is simd; the fields are name, pe, simd" in found[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("format_version = 1\nspeed = 3\n", "'speed' is no field of a plan"),
        ("format_version = true\n", "format_version is True"),
        ("format_version = 4\n", "newer than this hwq reads"),
        ("format_version = 1\nclock_mhz = -1\n", "clock_mhz is -1"),
        ('format_version = 1\nclock_mhz = "fast"\n', "clock_mhz is 'fast'"),
        ("format_version = 1\nclock_mhz = nan\n", "clock_mhz is nan"),
        ("format_version = 1\nnetwork = 3\n", "network is 3, expected a text"),
        ("format_version = 1\nstage = 3\n", "stage is no list of tables"),
        ("format_version = 1\n[[stage]]\npe = 1\n", "stage number 1: the name is missing"),
        ('format_version = 1\n[[stage]]\nname = "fc0"\npe = 1.5\n', "pe is 1.5, expected a whole number"),
        ('format_version = 1\n[[stage]]\nname = "fc0"\nlanes = 1\n', "'lanes' is no field of a stage"),
        ('format_version = 1\n[[stage]]\nname = "fc0"\n[[stage]]\nname = "fc0"\n', "there are two stages of this name"),
        ('format_version = 1\n[[stream]]\nname = "x"\n', "stream x: bus_bits is missing"),
        ('format_version = 1\n[[stream]]\nname = "X"\nbus_bits = 64\n', "Nearest is 'x'"),
        ('format_version = 1\n[[stage]]\nname = "fc0"\npixels = 2\n', "pixels is 2"),
        ('format_version = 1\n[[stage]]\nname = "fc0"\nstyle = "folded"\nmemory = "logic"\n', "does not go with"),
    ],
)
def test_each_mistake_is_a_sentence(tmp_path: Path, text: str, message: str) -> None:
    assert any(message in p for p in problems(tmp_path, text))


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[[", b"\x89PNG\r\n", b"a = 1\na = 2\n", b"x = " + b"[" * 20000])
def test_what_is_no_toml_is_one_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "plan.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"this plan cannot be read: .* no TOML") as caught:
        read_draft(path)
    assert caught.value.code == "PLAN-FILE"
    assert "(" not in str(caught.value)  # no message of a parser


def test_a_plan_by_hand_needs_no_version(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('[[stage]]\nname = "fc0"\n')
    assert set(read_draft(path, NET).stages) == {"fc0"}


@pytest.mark.parametrize("field", ["depth", "buffer"])
def test_a_depth_beyond_all_use_is_refused(tmp_path: Path, field: str) -> None:
    (found,) = problems(tmp_path, f'[[stage]]\nname = "fc0"\n{field} = 4097\n')
    assert "expected 1..4096" in found


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: there is no such plan file"):
        read_draft(tmp_path / "none.toml")


def test_a_chunk_rule_is_named(tmp_path: Path) -> None:
    network = dense([24, 3], Integer(4, True), chunk=8)
    (found,) = problems(tmp_path, 'format_version = 1\n[[stage]]\nname = "fc0"\nsimd = 3\n', network)
    assert found.startswith("stage fc0: simd is 3; the accumulator saturates every 8 products. simd must divide that number")


def test_an_element_wider_than_the_bus_is_named(tmp_path: Path) -> None:
    network = dense([24, 3], Integer(9, True))
    (found,) = problems(tmp_path, 'format_version = 1\n[[stream]]\nname = "x"\nbus_bits = 8\n', network)
    assert "bus_bits is 8, an element takes 16" in found
