"""The frame of every command: exit codes, errors as text and as JSON, help, start-up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import hwq as package
from hwq import cli
from hwq.errors import InputError, NegativeVerdict, Problems

Run = Callable[..., tuple[int, str, str]]
RunJson = Callable[..., tuple[int, dict]]
ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ["compile", "run", "verify", "explain", "report", "synth", "train", "zoo", "targets", "doctor"]


def shell(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "hwq", *words], capture_output=True, text=True, check=False, cwd=ROOT, **options)


def fails_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every command raise ``error``."""

    def run(args: object, console: object) -> int:
        raise error

    monkeypatch.setattr(cli, "parse", lambda words: SimpleNamespace(run=run))


def test_version(hwq: Run) -> None:
    assert hwq("--version") == (0, f"hwq {package.__version__}\n", "")


def test_help_lists_exactly_the_commands_that_exist(hwq: Run) -> None:
    code, out, _ = hwq("--help")
    assert code == 0
    listed = [line.split()[0] for line in out.split("COMMAND\n")[-1].split("examples:")[0].splitlines() if line[4:5].strip()]
    assert listed == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_no_template_left_in_it(command: str, hwq: Run) -> None:
    code, out, _ = hwq(command, "--help")
    assert code == 0
    assert f"usage: hwq {command}" in out
    assert "%(" not in out


def test_help_loads_no_heavy_library() -> None:
    script = "import sys; from hwq.cli import main; main(['--help']); print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {line.split(".")[0] for line in done.stdout.splitlines()}
    assert not loaded & {"numpy", "torch", "onnx", "amaranth", "numba", "rich", "brevitas", "cocotb"}


def test_a_command_is_needed(hwq: Run) -> None:
    code, out, err = hwq()
    assert (code, out) == (2, "")
    assert err.startswith("error[USAGE]: no command given. ")


def test_the_nearest_command_is_offered(hwq: Run) -> None:
    assert hwq("complie", "m.pt")[::2] == (2, "error[USAGE]: there is no command 'complie'. Did you mean `hwq compile`?\n")


def test_an_unknown_option_is_an_error_of_ours(hwq_json: RunJson) -> None:
    code, document = hwq_json("run", "m.pt", "x.npy", "--fast")
    assert code == 2
    assert document["error"]["code"] == "USAGE"
    assert "--fast" in document["error"]["message"]


def test_options_are_never_abbreviated(hwq: Run) -> None:
    assert hwq("run", "m.pt", "x.npy", "--lab", "y.npy")[0] == 2


def test_one_problem_is_one_line(hwq: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fails_with(InputError("SOME-CODE", "this is wrong", where="fc1", hint="Do that"), monkeypatch)
    assert hwq("targets") == (2, "", "error[SOME-CODE]: fc1: this is wrong. Do that\n")


def test_several_problems_come_together(hwq: Run, hwq_json: RunJson, monkeypatch: pytest.MonkeyPatch) -> None:
    fails_with(Problems([InputError("A", "one"), InputError("B", "two", where="fc2")]), monkeypatch)
    assert hwq("targets") == (2, "", "error[A]: one\nerror[B]: fc2: two\n")
    code, document = hwq_json("targets")
    assert code == 2
    assert [(e["code"], e["where"]) for e in document["errors"]] == [("A", None), ("B", "fc2")]


def test_a_negative_answer_exits_with_1(hwq: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fails_with(NegativeVerdict("DOES-NOT-FIT", "needs 3 LUTs, has 2"), monkeypatch)
    assert hwq("targets")[::2] == (1, "error[DOES-NOT-FIT]: needs 3 LUTs, has 2\n")


def test_a_bug_is_called_a_bug(hwq: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fails_with(ZeroDivisionError("by zero"), monkeypatch)
    code, _, err = hwq("targets")
    assert code == 3
    assert err.startswith("error[INTERNAL]: this is a bug in hwq (ZeroDivisionError: by zero)")


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fails_with(ZeroDivisionError("by zero"), monkeypatch)
    assert cli.main(["targets", "--debug"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_an_error_of_the_system_is_no_bug(hwq: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fails_with(PermissionError(13, "Permission denied", "secret.pt"), monkeypatch)
    assert hwq("targets")[::2] == (2, "error[FILE-ACCESS]: secret.pt: permission denied\n")


def test_an_interrupt_is_quiet(hwq: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fails_with(KeyboardInterrupt(), monkeypatch)
    assert hwq("targets") == (130, "", "interrupted\n")


def test_terminal_escapes_in_names_are_shown_not_sent(hwq: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fails_with(InputError("A", "wrong", where="\x1b[31mfc1\x07"), monkeypatch)
    assert hwq("targets")[2] == "error[A]: \\x1b[31mfc1\\x07: wrong\n"


def test_as_a_process(tmp_path: Path) -> None:
    done = shell("explain", str(tmp_path / "no.onnx"), "--json")
    assert (done.returncode, done.stderr) == (2, "")
    assert json.loads(done.stdout)["error"]["code"] == "FILE-MISSING"


@pytest.mark.parametrize("words", ["--help", "doctor --json", "explain no.onnx --json"])
def test_a_closed_pipe_is_quiet(words: str) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "hwq", *words.split()]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    os.close(write)
    assert done.returncode in (0, 141)  # argparse says nothing of it
    assert done.stderr == ""


def test_names_outside_the_terminals_character_set_do_not_end_the_program(tmp_path: Path) -> None:
    done = shell("explain", str(tmp_path / "größe.onnx"), env={"PYTHONIOENCODING": "ascii", "PATH": ""})
    assert done.returncode == 2
    assert "gr\\xf6\\xdfe" in done.stderr


def test_a_misspelt_option_points_to_the_help_of_its_command(hwq_json: RunJson) -> None:
    code, document = hwq_json("compile", "model.pt", "--traget", "vu9p")
    assert code == 2
    assert "--traget" in document["error"]["message"]
    assert "`hwq compile --help`" in document["error"]["hint"]
