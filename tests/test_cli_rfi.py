"""`revisit rfi` on the annotation of real products."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from revisit.cli.main import call
from revisit.interference_plot import STRIPE
from tests import scenery, speckled
from tests.test_revisit_radar import LAST, write_radar

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


def test_a_folder_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["rfi", "khmeimim", *DAYS, "--source", "folder:/does/not/exist"]) == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_stripes_in_images_are_the_second_witness(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(5)
    rows, cols = np.mgrid[: scenery.SIZE, : scenery.SIZE] - (scenery.SIZE - 1) / 2
    along = -cols * np.cos(np.radians(102)) - rows * np.sin(np.radians(102))
    for k in range(6):
        power = speckled.date(rng, points=[(60.0, 60.0, 34.0)], side=scenery.SIZE)
        spoilt = 0.04 * rng.gamma(4.4, 1 / 4.4, power.shape) * (np.abs(along - 20) <= 2) * (k == 2)
        write_radar(tmp_path / "s1", LAST - timedelta(days=12 * k), power + spoilt)
    place = str(scenery.write_area(tmp_path / "area.geojson"))
    days = ["--from", "2024-08-01", "--to", "2024-12-31"]
    png = tmp_path / "rfi.png"
    assert call(["rfi", place, *days, "--source", f"folder:{tmp_path / 's1'}", "--png", str(png), "--json"]) == 0
    images = json.loads(capsys.readouterr().out)["images"]
    striped = {one["acquired"][:10]: one["stripes_km"] for one in images if one["stripes_km"]}
    assert list(striped) == [str(LAST - timedelta(days=24))]
    assert all(abs(at - 0.2) < 0.05 for at in striped[str(LAST - timedelta(days=24))])
    assert len(images) == 12
    assert all(one["held_against_other_dates"] for one in images)
    assert (np.asarray(Image.open(png).convert("RGB")) == STRIPE).all(axis=-1).any()
