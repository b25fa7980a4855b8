"""`revisit rfi` on the annotation of real products."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from revisit.cli.main import call

DATA = Path(os.environ.get("REVISIT_TEST_DATA", "/nonexistent")) / "s1_safe_metadata"
real = pytest.mark.skipif(not DATA.is_dir(), reason="real imagery: REVISIT_TEST_DATA names no folder with it")
DAYS = ["--from", "2022-10-01", "--to", "2022-10-31"]


@pytest.fixture
def area(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    assert call(["area", "define", "palau", "--bbox", "133.5", "7.2", "134.0", "7.6"]) == 0
    return str(tmp_path / "palau.geojson")


@real
def test_the_pass_with_interference_is_found_and_the_others_are_silent(
    area: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert call(["rfi", area, *DAYS, "--source", f"folder:{DATA}", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    heard = {(one["first"][:10], one["polarisation"]): one["detections"] + one["elsewhere"] for one in told["records"]}
    assert heard.pop(("2022-10-02", "VV")) == 1
    assert heard.pop(("2022-10-02", "VH")) == 2
    assert len(heard) == 4
    assert set(heard.values()) == {0}
    assert {one["mitigation"] for one in told["records"] if one["first"] < "2022-10-03"} == {"TimeFrequency"}
    assert any("Silence is not absence" in line for line in told["caveats"])


@real
def test_the_table_and_the_plot_are_for_people(area: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    png = tmp_path / "rfi.png"
    assert call(["rfi", area, *DAYS, "--source", f"folder:{DATA}", "--png", str(png)]) == 0
    told = capsys.readouterr().out
    assert "2022-10-02" in told
    assert "anywhere across the swath" in told
    assert png.read_bytes().startswith(b"\x89PNG")


@real
def test_products_elsewhere_are_not_taken_for_silence(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["rfi", "khmeimim", *DAYS, "--source", f"folder:{DATA}"]) == 2
    assert "holds no Sentinel-1 product over khmeimim" in capsys.readouterr().err


def test_a_product_that_cannot_be_read_is_named(area: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "products" / "S1A_IW_GRDH_1SDV_20221002T205126.SAFE"
    broken.mkdir(parents=True)
    (broken / "manifest.safe").write_text("<xfdu/>")
    assert call(["rfi", area, *DAYS, "--source", f"folder:{tmp_path / 'products'}"]) == 0
    assert "S1A_IW_GRDH_1SDV_20221002T205126.SAFE: the manifest has no startTime" in capsys.readouterr().err


@pytest.mark.parametrize("source", ["auto", "folder:/does/not/exist"])
def test_records_are_read_from_disk_only(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["rfi", "khmeimim", *DAYS, "--source", source]) == 2
    assert "give folder:PATH" in capsys.readouterr().err
