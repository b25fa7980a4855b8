"""The doctor: what it finds, what it says to do, and that it never shows a secret nor waits for ever."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from revisit.cli.doctor import doctor
from revisit.doctor import Finding, can_run, examine
from revisit.settings import Settings, load_settings
from tests.servers import Fault, Server, start

SOURCES = ["earth-search", "planetary-computer", "cdse", "sentinel-hub"]
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with start("world") as server:
        yield server


@pytest.fixture
def world(running: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    running.reset()
    for name, value in environment_of(running, tmp_path).items():
        monkeypatch.setenv(name, value)
    return running


def environment_of(world: Server, folder: Path) -> dict[str, str]:
    config = folder / "config.toml"
    config.touch()
    return {**world.environment(), "REVISIT_CONFIG": str(config), "REVISIT_CACHE_DIR": str(folder / "cache")}


def settings_of(world: Server, folder: Path, **changed: str) -> Settings:
    return load_settings(environment_of(world, folder) | changed)


def by_name(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def test_where_everything_is_in_place_there_is_nothing_to_do(world: Server, tmp_path: Path) -> None:
    findings = examine(settings_of(world, tmp_path))
    assert [finding for finding in findings if finding.outcome != "ok" or finding.advice] == []
    assert can_run(findings)
    known = by_name(findings)
    assert all(known[name].seconds is not None for name in SOURCES)
    assert "gives tokens for its files" in known["planetary-computer"].found
    assert "takes the credentials" in known["sentinel-hub"].found
    assert "SH_CLIENT_SECRET" in known["credentials"].found
    assert (tmp_path / "cache").is_dir()


def test_each_failure_says_what_it_means(world: Server, tmp_path: Path) -> None:
    world.fault("/earth-search/v1", [Fault(status=200, body=b"<html>Hotel</html>", times=-1)])
    world.fault("*/sas/v1/token/*", [Fault(status=429, headers={"Retry-After": "60"}, times=-1)])
    world.fault("*/openid-connect/token", [Fault(status=401, body=b'{"error": "invalid_client"}', times=-1)])
    known = by_name(examine(settings_of(world, tmp_path, REVISIT_CDSE_STAC_URL=f"{NOBODY}/v1")))
    words = {
        "earth-search": ("log-in", "page of your network's proxy"),
        "planetary-computer": ("429", "try again in some minutes"),
        "sentinel-hub": ("SH_CLIENT_ID", "make new credentials"),
        "cdse": ("127.0.0.1:9", "check the network"),
    }
    for name, (found, advice) in words.items():
        assert known[name].outcome == "failed"
        assert found in known[name].found
        assert advice in known[name].advice


def test_one_source_of_pixels_is_enough_and_a_witness_is_none(world: Server, tmp_path: Path) -> None:
    addresses = ("EARTH_SEARCH_URL", "PLANETARY_COMPUTER_URL", "SENTINEL_HUB_URL")
    gone = {f"REVISIT_{name}": f"{NOBODY}/x" for name in addresses}
    findings = examine(settings_of(world, tmp_path, **gone))
    assert by_name(findings)["cdse"].outcome == "ok"
    assert not can_run(findings)
    del gone["REVISIT_EARTH_SEARCH_URL"]
    assert can_run(examine(settings_of(world, tmp_path, **gone)))


def test_without_credentials_sentinel_hub_is_no_source_of_pixels(world: Server, tmp_path: Path) -> None:
    known = by_name(examine(settings_of(world, tmp_path, SH_CLIENT_ID="", SH_CLIENT_SECRET="")))
    assert known["credentials"].outcome == "warning"
    assert "SH_CLIENT_ID" in known["credentials"].advice
    assert known["sentinel-hub"].outcome == "ok"
    assert not known["sentinel-hub"].pixels


def test_servers_that_accept_and_never_answer_are_left_behind(world: Server, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        names = ("EARTH_SEARCH_URL", "PLANETARY_COMPUTER_URL", "CDSE_STAC_URL", "SENTINEL_HUB_URL")
        settings = settings_of(world, tmp_path, **{f"REVISIT_{name}": url for name in names})
        findings = examine(settings, within_s=0.5)
    known = by_name(findings)
    assert all("no complete answer within 0.5 s" in known[name].found for name in SOURCES)
    assert not can_run(findings)


def test_a_cache_that_cannot_be_written_is_found(world: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    known = by_name(examine(settings_of(world, tmp_path, REVISIT_CACHE_DIR=str(tmp_path / "file" / "cache"))))
    assert known["cache"].outcome == "failed"
    assert "REVISIT_CACHE_DIR" in known["cache"].advice


def call(*arguments: str) -> Any:
    app = typer.Typer()
    app.command()(doctor)
    return CliRunner().invoke(app, list(arguments))


def test_the_command_prints_a_line_a_thing_and_no_secret(world: Server) -> None:
    told = call()
    assert told.exit_code == 0, told.output
    lines = [line.split() for line in told.stdout.splitlines()]
    assert [line[1] for line in lines] == [
        "python", "libraries", "gdal", "settings", "cache", "credentials", *SOURCES,
    ]  # fmt: skip
    known = world.environment()
    assert known["SH_CLIENT_SECRET"] not in told.output
    assert known["SH_CLIENT_ID"] not in told.output


def test_the_command_prints_json_and_exits_with_3_where_no_source_answers(
    world: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("EARTH_SEARCH_URL", "PLANETARY_COMPUTER_URL", "CDSE_STAC_URL", "SENTINEL_HUB_URL"):
        monkeypatch.setenv(f"REVISIT_{name}", NOBODY)
    told = call("--json")
    assert told.exit_code == 3
    document = json.loads(told.stdout)
    assert document["can_run"] is False
    assert {finding["name"] for finding in document["findings"]} > set(SOURCES)
    assert world.environment()["SH_CLIENT_SECRET"] not in told.output
