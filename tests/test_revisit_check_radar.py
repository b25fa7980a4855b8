"""Ships off a real port, by real radar: what claims come to on one orbit over Latakia."""

from __future__ import annotations

import json
import re
import shutil
from datetime import date
from pathlib import Path

import pytest

from benchmarks.latakia import write_latakia
from revisit.cli.main import call

EXAMPLES = Path(__file__).parents[1] / "examples"
pytestmark = pytest.mark.timeout(900)


def some_claims(text: str, names: set[str]) -> str:
    """Return a file of claims with only some of its claims."""
    head, *claims = re.split(r"(?=\[\[claim\]\])", text)
    return head + "".join(one for one in claims if any(f'id = "{name}"' in one for name in names))


def test_ships_in_the_roads_of_latakia(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("revisit.export.pdf.BROWSERS", ())
    days = {"first": date(2023, 11, 1), "last": date(2024, 8, 25)}
    assert write_latakia(real_data / "latakia_s1", tmp_path / "scenes", **days, only=87) >= 20
    shutil.copy(EXAMPLES / "latakia.geojson", tmp_path)
    text = some_claims((EXAMPLES / "latakia.toml").read_text(), {"L2", "L4", "L5", "L6"})
    (tmp_path / "claims.toml").write_text(text)
    asked = ["check", str(tmp_path / "claims.toml"), "--source", f"folder:{tmp_path / 'scenes'}"]
    assert call([*asked, "-o", str(tmp_path / "out")]) == 0
    told = {one["id"]: one for one in json.loads((tmp_path / "out" / "verdicts.json").read_text())}
    # By eye: a ship on 7 August where there was none on 26 July; none in the other place; no pass at the weekend.
    assert {name: one["verdict"] for name, one in told.items()} == {
        "L2": "supported",
        "L4": "inconclusive",
        "L5": "not observable",
        "L6": "insufficient imagery",
    }
    assert "(radar, held against 2024-07-26)" in told["L2"]["reasons"][0]
    assert told["L2"]["pd"] >= 0.8
    page = (tmp_path / "out" / "report.html").read_text()
    assert "held against Sentinel-1 radar imagery of 10 m" in page
    assert "Optical imagery alone" not in page
    capsys.readouterr()
