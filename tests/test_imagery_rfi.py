"""The product's own records of interference, real ones and hostile ones, and when an area was flown by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from imagery.errors import MissingFileError, RefusedFileError
from imagery.rfi import azimuth_times, parse_rfi, read_rfi

HEADER = (
    "<adsHeader><missionId>S1A</missionId><polarisation>VV</polarisation><startTime>2022-10-02T20:51:26.9</startTime>"
    "<stopTime>2022-10-02T20:51:56.0</stopTime><absoluteOrbitNumber>45268</absoluteOrbitNumber></adsHeader>"
    "<rfiMitigationApplied>None</rfiMitigationApplied>"
)
REPORT = (
    "<rfiDetectionFromNoiseReport><swath>IW1</swath><noiseSensingTime>2022-10-02T20:51:30</noiseSensingTime>"
    "<rfiDetected>true</rfiDetected><maxKLDivergence>9</maxKLDivergence><maxFisherZ>6</maxFisherZ>"
    "<maxRfiPsd>2</maxRfiPsd></rfiDetectionFromNoiseReport>"
)


def document(inner: str = REPORT) -> bytes:
    """Return an interference file with some reports."""
    listed = f"<rfiDetectionFromNoiseReportList>{inner}</rfiDetectionFromNoiseReportList>"
    return f"<rfi>{HEADER}{listed}</rfi>".encode()


@pytest.mark.parametrize(
    ("day", "detections", "mitigation"),
    [("20221002", 3, "TimeFrequency"), ("20221014", 0, "None"), ("20221026", 0, "None")],
)
def test_real_products_say_what_was_heard_and_done(real_data: Path, day: str, detections: int, mitigation: str) -> None:
    (product,) = (real_data / "s1_safe_metadata").glob(f"*_{day}T*.SAFE")
    files = read_rfi(product)
    assert {file.polarisation for file in files} == {"VV", "VH"}
    assert sum(len(file.detections) for file in files) == detections
    assert {file.mitigation for file in files} == {mitigation}
    assert all((burst.tonal_lines is not None) == file.mitigated for file in files for burst in file.bursts)
    assert all(
        file.start - timedelta(seconds=10) <= r.time <= file.stop + timedelta(seconds=10)
        for file in files
        for r in file.noise
    )
    text = "".join(path.read_text() for path in product.glob("annotation/rfi/*.xml"))
    assert sum(len(file.noise) for file in files) == text.count("<rfiDetectionFromNoiseReport>")


def test_detections_are_picked_by_time() -> None:
    file = parse_rfi(document())
    when = datetime(2022, 10, 2, 20, 51, 30, tzinfo=UTC)
    assert file.between(when, when) == file.detections
    assert not file.between(when + timedelta(seconds=1), when + timedelta(seconds=9))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<product/>", "begins with <rfi>"),
        (b"<!DOCTYPE rfi [<!ENTITY a 'b'>]><rfi/>", "document type or entities"),
        (b"<rfi/>", "without adsHeader/missionId"),
        (document(REPORT.replace("true", "maybe")), "rfiDetected is 'maybe'"),
        (document(REPORT.replace(">9<", ">inf<")), "maxKLDivergence is 'inf'"),
        (document(REPORT * 5001), "5,001 reports"),
        (document().replace(b"45268", b"many"), "absoluteOrbitNumber is 'many'"),
    ],
)
def test_other_documents_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(RefusedFileError, match=message):
        parse_rfi(content)


def test_a_product_without_records_has_none_and_no_product_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"holds no manifest\.safe"):
        read_rfi(tmp_path)
    (tmp_path / "manifest.safe").write_text("<xfdu/>")
    assert read_rfi(tmp_path) == ()
    folder = tmp_path / "annotation" / "rfi"
    folder.mkdir(parents=True)
    (folder / "rfi-vv.xml").write_text("no xml")
    with pytest.raises(RefusedFileError, match=r"rfi-vv\.xml: not XML"):
        read_rfi(tmp_path)


def test_an_area_is_flown_by_in_its_share_of_the_product() -> None:
    # The footprint of a real descending product: its northern edge comes first in time.
    footprint = [(134.940063, 6.552638), (132.714203, 7.008058), (133.065231, 8.75891), (135.301147, 8.308175)]
    start, stop = datetime(2022, 10, 2, 20, 51, 27, tzinfo=UTC), datetime(2022, 10, 2, 20, 51, 56, tzinfo=UTC)
    middle = (sum(p[0] for p in footprint) / 4, sum(p[1] for p in footprint) / 4)
    first, last = azimuth_times(footprint, (start, stop), [middle], ascending=False)
    assert first == last
    assert abs((first - start) / (stop - start) - 0.5) < 0.01
    for corner, share in zip(footprint, (1, 1, 0, 0), strict=True):
        (when, _) = azimuth_times(footprint, (start, stop), [corner], ascending=False)
        assert (when - start) / (stop - start) == pytest.approx(share, abs=0.02)
    (when, _) = azimuth_times(footprint, (start, stop), [footprint[0]], ascending=True)
    assert (when - start) / (stop - start) == pytest.approx(0, abs=0.02)
