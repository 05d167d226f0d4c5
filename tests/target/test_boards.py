from __future__ import annotations

from pathlib import Path

import pytest

from hwq.errors import InputError, Problems
from hwq.target import boards
from hwq.target.boards import device_names, load_device

GOOD = (Path(boards.__file__).resolve().parents[2] / "boards" / "vu9p.toml").read_text()


def problems(path: Path) -> list[str]:
    with pytest.raises(Problems) as caught:
        load_device(path)
    return [str(p) for p in caught.value.entries()]


@pytest.mark.parametrize("name", device_names())
def test_every_board_reads_and_hangs_together(name: str) -> None:
    d = load_device(name)
    assert d.name == name
    # A LUT of these families has two flip-flops; memory LUTs are a part of all.
    assert d.ff == 2 * d.lut
    assert 0 < d.lutram_lut < d.lut
    assert (d.uram > 0) == (d.family == "ultrascale+")
    assert d.part.startswith("xc")


def test_vu9p_is_the_named_part() -> None:
    d = load_device("vu9p")
    assert d.part == "xcvu9p-flga2104-2L-e"
    assert (d.lut, d.bram36, d.uram, d.dsp, d.slrs) == (1182240, 2160, 960, 6840, 3)
    assert any("DS890" in source for source in d.sources.values())


def test_an_unknown_target_offers_the_nearest() -> None:
    with pytest.raises(
        InputError, match=r"--target: there is no target 'VU9'; did you mean 'vu9p'\? The targets are arty-a7-100, "
    ) as caught:
        load_device("VU9")
    assert caught.value.code == "TARGET-UNKNOWN"


def test_a_target_like_nothing_lists_all() -> None:
    with pytest.raises(InputError, match=r"no target 'stratix10'; The targets are .*zcu104"):
        load_device("stratix10")


def test_a_file_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace("dsp = 6840", "dsp = 0"))
    assert load_device(path).dsp == 0
    assert load_device(str(path)).name == "mine"
    assert "mine" in device_names([tmp_path])
    assert load_device("mine", [tmp_path]).dsp == 0


def test_all_mistakes_of_a_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    text = GOOD.replace("lut = 1182240", "lut = 0").replace("ff = 2364480", 'ff = "many"').replace("slrs = 3\n", "")
    text = text.replace("clock_mhz = 300", "clock_mhz = inf").replace('family = "ultrascale+"', 'family = "agilex"')
    path.write_text("luts = 5\nname = 'x'\n" + text.replace('"lut ff bram36', '"lut bram36'))
    found = problems(path)
    for message in (
        "'luts' is no field of a target. Nearest is 'lut'",
        "'name' is no field",
        "family is 'agilex', expected one of 7series",
        "lut is 0, expected a whole number, 1 or more",
        "ff is 'many'",
        "the field 'slrs' is missing",
        "clock_mhz is inf",
        "does not say where these figures come from: ff",
    ):
        assert any(message in f for f in found), message
    assert len(found) == 8


@pytest.mark.parametrize("content", [b"\x00\xff", b"[", b""])
def test_what_is_no_target_file_is_an_input_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(InputError):
        load_device(path)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_device(tmp_path / "none.toml")


def test_an_extension_brings_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs.toml").write_text(GOOD)

    class Point:
        name = "theirs"

        def load(self) -> Path:
            return tmp_path

    monkeypatch.setattr(boards, "entry_points", lambda group: [Point()] if group == "hwq.targets" else [])
    assert "theirs" in device_names()
    assert load_device("theirs").title == "Virtex UltraScale+ VU9P"
