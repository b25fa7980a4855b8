"""The root of the command line: help, version, and how an error sounds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from aoi import AOIError
from imagery.errors import InsufficientImageryError, NoSceneError, RefusedFileError, SceneError, SourceError
from revisit import __version__
from revisit.cli.main import call
from revisit.errors import UsageError, exit_code, one_line

ROOT = Path(__file__).parents[1]
START = "import sys; from revisit.cli.main import main; sys.argv[0] = 'revisit'; main()"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n  {name} " in shown for name in ("sites", "area", "import", "compare", "demo"))


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert call([]) == 0
    assert "compare" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", [["compare"], ["demo"], ["sites"], ["import"], ["area", "define"], ["area", "show"]]
)
def test_every_command_has_help_with_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call([*command, "--help"]) == 0
    assert f"Example: revisit {' '.join(command)}" in " ".join(capsys.readouterr().out.split())


def test_the_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--version"]) == 0
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert capsys.readouterr().out == f"revisit {project['version']}\n"
    assert __version__ == project["version"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["comparee"], "No such command 'comparee'"),
        (["compare", "--sensr", "s2"], "No such option: --sensr"),
        (["compare", "tartus", "--within", "many"], "Invalid value for '--within'"),
        (["compare", "tartus", "--before"], "'--before' requires an argument"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("revisit: ")
    assert message in error
    assert "--help`" in error


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (UsageError, 2),
        (AOIError, 2),
        (RefusedFileError, 2),
        (SceneError, 2),
        (NoSceneError, 2),
        (SourceError, 3),
        (InsufficientImageryError, 4),
        (ValueError, None),
        (OSError, None),
    ],
)
def test_each_kind_of_failure_has_its_exit_code(kind: type[Exception], code: int | None) -> None:
    assert exit_code(kind("told")) == code


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb", "a b"), ("a\x1b[31mb", "a [31mb"), ("a\u202eb", "a b"), ("a\rb\x07", "a b"), ("Tartüs", "Tartüs")],
)
def test_what_a_file_says_cannot_steer_the_terminal(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_a_bug_is_not_dressed_as_a_mistake_of_the_user() -> None:
    code = "import sys, revisit.pipeline\nrevisit.pipeline.check_recipe = lambda *a, **k: {}['bug']\n" + START
    done = subprocess.run(
        [sys.executable, "-c", code, "compare", "tartus", "--before", "2024-12-07", "--after", "2024-12-17"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "KeyError: 'bug'" in done.stderr


def test_verbose_shows_where_an_error_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["compare", "tartus", "--before", "2024-12-07", "--after", "2024-12-07"]
    assert call(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert call(["--verbose", *arguments]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_has_gone_is_no_error() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-u", "-c", START, "--help"],
        cwd=ROOT,
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (141, "")


def test_ctrl_c_ends_cleanly() -> None:
    code = "import os, signal, revisit.pipeline\ndef stop(*a, **k): os.kill(os.getpid(), signal.SIGINT)\n"
    # A shell has its background jobs ignore the signal, and what they start inherits that.
    code += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "revisit.pipeline.check_recipe = stop\n" + START
    done = subprocess.run(
        [sys.executable, "-c", code, "compare", "tartus", "--before", "2024-12-07", "--after", "2024-12-17"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (128 + signal.SIGINT, "revisit: stopped\n")
