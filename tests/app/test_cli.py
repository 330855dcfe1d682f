"""The command line finds its commands, and turns errors into one line and an exit code."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from app.cli import COMMANDS, main
from models.errors import ExpectedError


@pytest.fixture
def use_command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[argparse.Namespace], int]], None]:
    """Put a command of the test's own behind the name `weights`."""

    def use(run: Callable[[argparse.Namespace], int]) -> None:
        module = ModuleType(COMMANDS["weights"].module)
        module.__dict__.update(run=run, add_arguments=lambda parser: parser.add_argument("--number", type=int))
        monkeypatch.setitem(sys.modules, COMMANDS["weights"].module, module)

    return use


def test_a_command_gets_its_options_and_gives_the_exit_code(
    use_command: Callable[[Callable[[argparse.Namespace], int]], None],
) -> None:
    use_command(lambda args: int(args.number))

    assert main(["weights", "--number", "7"]) == 7


def test_an_expected_error_is_one_line_on_stderr_and_exit_code_2(
    use_command: Callable[[Callable[[argparse.Namespace], int]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: argparse.Namespace) -> int:
        raise ExpectedError("The cat is out; call it back.")

    use_command(fail)

    assert main(["weights"]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "error: The cat is out; call it back.\n")


def test_an_interrupt_is_exit_code_130(
    use_command: Callable[[Callable[[argparse.Namespace], int]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    use_command(interrupt)

    assert main(["weights"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_bug_is_not_hidden(use_command: Callable[[Callable[[argparse.Namespace], int]], None]) -> None:
    def stumble(_: argparse.Namespace) -> int:
        raise ValueError("a bug")

    use_command(stumble)

    with pytest.raises(ValueError, match="a bug"):
        main(["weights"])


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])

    assert capsys.readouterr().out == "oddity 0.1.0\n"


@pytest.mark.parametrize("arguments", [[], ["dance"], ["--dance"]])
def test_an_unknown_command_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)

    assert "python -m app: error:" in capsys.readouterr().err


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_explains_its_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])

    assert f"usage: python -m app {name}" in capsys.readouterr().out


def test_a_reader_that_stops_reading_is_no_error() -> None:
    program = f"{sys.executable} -m app weights --json | head -c 10"
    result = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)

    assert (result.stdout, result.stderr) == ('{"preset":', "")
