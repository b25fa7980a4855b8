"""Planted secrets, and every output of whole runs looked through for them."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from shapely.geometry import box, mapping

from revisit.cli.main import call
from tests.servers import Fault, Server, start

DATES = ["--before", "2024-11-30", "--after", "2024-12-20"]


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with start("world") as server:
        yield server


@pytest.fixture
def area(running: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a small area, in a folder that also gets the cache and the run."""
    running.reset()
    for name, value in {**running.environment(), "REVISIT_CACHE_DIR": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "small.geojson"
    feature = {"type": "Feature", "geometry": mapping(box(35.94, 35.395, 35.955, 35.408)), "properties": {}}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


@pytest.mark.parametrize("fault", [None, "token", "picture"])
def test_no_output_of_a_run_shows_a_secret(
    running: Server, area: Path, fault: str | None, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """What goes out is logged by the server, so that the tokens are known that must be nowhere else."""
    caplog.set_level(logging.DEBUG)
    folder = area.parent
    echoed = json.dumps({"error": "odd", "client_secret": os.environ["SH_CLIENT_SECRET"]}).encode()
    patterns = {"token": "*/openid-connect/token", "picture": "*/api/v1/process"}
    if fault:
        running.fault(patterns[fault], [Fault(status=400, body=echoed, times=-1)])
    run = folder / "run"
    code = call(["-v", "compare", str(area), *DATES, "--source", "sentinel-hub", "-o", str(run)])
    assert code == (3 if fault else 0)
    tokens = {one.headers["authorization"].split()[1] for one in running.log("*/sentinel-hub/*")}
    assert bool(tokens) == (fault != "token")
    planted = [os.environ["SH_CLIENT_SECRET"], os.environ["SH_CLIENT_ID"], *tokens]
    planted += [part for token in tokens for part in token.split(".") if len(part) > 8]
    written = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert (run / "run.json") in written or fault
    assert fault == "token" or [path for path in written if "cache" in path.parts]
    printed = "\n".join([*capfd.readouterr(), caplog.text])
    for secret in planted:
        assert secret not in printed
        assert [path for path, content in written.items() if secret.encode() in content] == []
