"""What `revisit check` leaves beside the pack: a time stamp where one is asked for, and the report on paper."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from revisit.cli.main import call
from tests.scenery import Pass, feature, write_area, write_scenes

CLAIMS = """
[source]
title = "T"
publisher = "P"
published = 2024-12-14
[[claim]]
id = "C1"
statement = "It is being loaded."
geometry = "a.geojson#apron"
kind = "state"
from = 2024-12-08
to = 2024-12-13
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a command that checks one claim about two small dates, on a machine without a browser."""
    write_scenes(tmp_path / "s", Pass(day="2024-12-07"), Pass(day="2024-12-12"))
    zone = feature("zone", "apron", (20.4, 20.4, 139.6, 139.6), kind="apron", source="survey", accuracy_m=5)
    write_area(tmp_path / "a.geojson", zone)
    (tmp_path / "c.toml").write_text(CLAIMS)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return ["check", str(tmp_path / "c.toml"), "--source", f"folder:{tmp_path / 's'}", "-o", str(tmp_path / "out")]


def test_without_a_browser_the_gist_is_on_paper(
    asked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(asked) == 0
    assert (tmp_path / "out" / "report.pdf").read_bytes().startswith(b"%PDF")
    assert "out/report.pdf" in capsys.readouterr().out
    assert call(["replay", str(tmp_path / "out" / "evidence.zip")]) == 0
    # A second check replaces the first, paper and all.
    assert call(asked) == 0


def test_a_browser_that_fails_does_not_fail_the_check(
    asked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = tmp_path / "bin" / "chromium"
    fake.write_text("#!/bin/sh\necho out of memory >&2\nexit 1\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    assert call(asked) == 0
    assert "no report.pdf" in capsys.readouterr().err
    assert not (tmp_path / "out" / "report.pdf").exists()
    assert (tmp_path / "out" / "evidence.zip").is_file()


def test_a_server_of_time_stamps_out_of_reach_leaves_the_check_whole(
    asked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call([*asked, "--timestamp", "http://127.0.0.1:9/tsr"]) == 3
    told = capsys.readouterr()
    assert "the pack has no time stamp" in told.err
    assert "The check itself is whole" in told.err
    assert "sha256" in told.out
    assert call(["verify", str(tmp_path / "out" / "evidence.zip")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "check.json", "claims.toml", "evidence.zip", "inputs", "report.html", "report.pdf", "verdicts.json",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--timestamp", "http://tsa.example.org/tsr"], "only https is"),
        (["--timestamp", "tsa.example.org"], "it is no plain http or https address"),
        (["--timestamp", "https://tsa.example.org/tsr", "--offline"], "leave one of them out"),
    ],
)
def test_addresses_are_refused_before_anything_is_fetched(
    more: list[str], message: str, asked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call([*asked, *more]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
