"""`revisit scenes` as a person types it: who had what, what is clear over the area, and what would be compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from revisit.cli.main import call
from tests.commands import write_aprons
from tests.servers import FOR_EVER, Fault, Server, start

NOVEMBER = ["--from", "2024-11-12", "--to", "2024-12-06"]


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with start("world") as server:
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an area, aprons.geojson, and a cache that all tests of the undisturbed world share."""
    folder = tmp_path_factory.mktemp("scenes")
    write_aprons(folder / "aprons.geojson")
    return folder


@pytest.fixture
def world(running: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Return the world, with the environment pointing at it."""
    running.reset()
    known = {"REVISIT_CACHE_DIR": str(folder / "cache"), "XDG_CONFIG_HOME": str(folder), "REVISIT_CONFIG": ""}
    for name, value in {**running.environment(), **known}.items():
        monkeypatch.setenv(name, value)
    return running


@pytest.fixture
def disturbed(world: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Return the world with a cache that is empty, for what goes wrong in it."""
    monkeypatch.setenv("REVISIT_CACHE_DIR", str(tmp_path / "cache"))
    return world


def listed(folder: Path, capsys: pytest.CaptureFixture[str], *more: str, code: int = 0) -> dict[str, Any]:
    """Return what is printed as JSON."""
    assert call(["scenes", str(folder / "aprons.geojson"), *more, "--json"]) == code
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


@pytest.mark.usefixtures("world")
def test_every_pass_stands_once_with_what_is_clear_over_the_area(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = listed(folder, capsys, *NOVEMBER)
    clear = {one["acquired"][:10]: one["clear"] for one in told["passes"]}
    # Of the tile, the catalogues say 1.2 % cloud on the 15th and 95.4 % on the 20th.
    assert clear == {"2024-11-15": 0.0, "2024-11-20": 1.0, "2024-11-30": 1.0, "2024-12-05": 0.0}
    assert {one["tile"] for one in told["passes"]} == {"36SYE"}
    assert told["compare"]["before"].startswith("S2A_T36SYE_20241120")
    assert told["compare"]["after"].startswith("S2A_T36SYE_20241130")
    assert {one["source"] for one in told["asked"]} == {
        "earth-search",
        "planetary-computer",
        "sentinel-hub",
        "cdse",
    }
    assert (told["complete"], told["compare_refused"]) == (True, None)
    assert any("37SBV" in reason for reason in told["left_out"])


@pytest.mark.usefixtures("world")
def test_the_table_says_who_had_what_and_what_would_be_compared(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["scenes", str(folder / "aprons.geojson"), *NOVEMBER]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "earth-search: 16 product(s), answered completely"
    assert lines[3].startswith("cdse: 8 product(s), answered completely; asked as a witness")
    assert lines[4].split()[-4:] == ["baseline", "covers", "clear", "source"]
    rows = [line.split() for line in lines if line.startswith("2024-")]
    assert [(row[0], row[3], row[-1]) for row in rows] == [
        ("2024-11-15", "121", "earth-search"),
        ("2024-11-20", "121", "before"),
        ("2024-11-30", "121", "after"),
        ("2024-12-05", "121", "earth-search"),
    ]
    assert lines[-2].startswith("compare would take before: S2A_T36SYE_20241120")


@pytest.mark.usefixtures("world")
def test_radar_passes_have_an_orbit_and_a_direction_and_no_cloud(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = listed(folder, capsys, "--from", "2024-11-18", "--to", "2024-12-07", "--sensor", "s1")
    # The slices of orbit 87 end south-west of the aprons.
    orbits = {(one["orbit"], one["direction"]) for one in told["passes"]}
    assert orbits == {(14, "ascending"), (21, "descending"), (94, "descending")}
    assert {one["clear"] for one in told["passes"]} == {None}
    assert told["compare"] is None


def test_a_catalogue_that_fails_is_named_and_the_others_go_on(
    disturbed: Server, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    disturbed.fault("POST /planetary-computer/*", [Fault(status=403, times=FOR_EVER)])
    told = listed(folder, capsys, "--from", "2024-11-28", "--to", "2024-12-01")
    asked = {one["source"]: one["complete"] for one in told["asked"]}
    assert asked == {"earth-search": True, "planetary-computer": False, "sentinel-hub": True, "cdse": True}
    assert told["complete"]
    assert any("planetary-computer did not answer" in line for line in told["warnings"])
    assert [one["acquired"][:10] for one in told["passes"]] == ["2024-11-30"]


def test_a_pass_without_pixels_is_told_by_the_witness(
    disturbed: Server, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("earth-search", "planetary-computer", "sentinel-hub")
    disturbed.set(omit=[f"{name}:*20241130T*" for name in names] + ["earth-search:*_20241130_*"])
    told = listed(folder, capsys, "--from", "2024-11-28", "--to", "2024-12-01")
    assert told["passes"] == []
    assert "cdse knows 1 pass(es) of which no source that answered has pixels" in told["warnings"][0]


@pytest.mark.usefixtures("world")
def test_that_there_is_nothing_is_said_of_a_whole_answer_only(
    folder: Path, capsys: pytest.CaptureFixture[str], running: Server
) -> None:
    early = ["scenes", str(folder / "aprons.geojson"), "--from", "2023-01-01", "--to", "2023-01-09"]
    assert call(early) == 0
    assert "no pass was found\n" in capsys.readouterr().out
    running.set(paging={"earth-search": "short"})
    assert call([*early[:-1], "2023-01-10", "--source", "earth-search"]) == 3
    assert capsys.readouterr().out == "no pass was found; absence is not proved\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "2024-12-06", "--to", "2024-11-12"], "--from 2024-12-06 is later than --to 2024-11-12"),
        ([*NOVEMBER, "--sensor", "landsat"], "choose s2 or s1"),
        ([*NOVEMBER, "--source", "landsat"], "'landsat' is no source of scenes"),
        (["--from", "yesterday", "--to", "2024-11-12"], "--from 'yesterday'"),
    ],
)
def test_wrong_input_is_named_with_its_values(
    arguments: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["scenes", str(folder / "aprons.geojson"), *arguments]) == 2
    assert message in capsys.readouterr().err
