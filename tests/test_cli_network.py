"""The commands that ask servers, each in its own process, with nothing configured but the servers' addresses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands import Done, begin, call, end, environment, write_aprons
from tests.servers import FOR_EVER, Fault, Server, start

pytestmark = pytest.mark.timeout(300)

SOURCES = ("earth-search", "planetary-computer", "sentinel-hub", "auto")
DATES = ["--before", "2024-11-30", "--after", "2024-12-20"]
MONTH = ["--from", "2024-11-25", "--to", "2024-12-25"]
TRUTH = {("apron-north", "appeared"), ("apron-north", "vanished"), ("apron-centre", "vanished")}
"""What the world's ground does on two aprons between the dates."""
MOST_REQUESTS, MOST_BYTES = 40, 3_000_000
"""Of two dates of 5 x 5 km, four bands, without a baseline."""
DIFFERS = ("timings_s", "exchange")
"""In the manifest: what the same run does not repeat."""
ABSENCE = ("no change", "no scene", "no pass")
"""Words that a failure must not be reported with."""


@pytest.fixture(scope="module")
def world() -> Iterator[Server]:
    with start("world") as server:
        yield server


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an area of two aprons, aprons.geojson."""
    folder = tmp_path_factory.mktemp("network")
    write_aprons(folder / "aprons.geojson")
    return folder


def command(place: Path, source: str, out: str, *more: str) -> list[str]:
    """Return the command that compares two optical dates of the aprons."""
    area, pair = str(place / "aprons.geojson"), [*DATES, "--sensor", "s2", "--baseline", "0"]
    return ["compare", area, *pair, "--source", source, "-o", str(place / out), *more]


def read(place: Path, run: str, file: str = "run.json") -> dict[str, Any]:
    told: dict[str, Any] = json.loads((place / run / file).read_text())
    return told


def flags(place: Path, run: str) -> list[dict[str, Any]]:
    return [feature["properties"] for feature in read(place, run, "flags.geojson")["features"]]


@pytest.fixture(scope="module")
def compared(world: Server, place: Path) -> dict[str, Done]:
    """Compare through every source, each with a cache of its own; a run is named as its source."""
    processes = {
        source: begin(command(place, source, source), environment(world, place / f"cache-{source}"))
        for source in SOURCES
    }
    done = {source: end(process) for source, process in processes.items()}
    assert {source: one.code for source, one in done.items()} == dict.fromkeys(SOURCES, 0), done
    return done


@pytest.mark.usefixtures("compared")
def test_what_happened_on_the_ground_is_flagged_first(place: Path) -> None:
    strongest = sorted(flags(place, "auto"), key=lambda flag: -abs(flag["contrast"]))[: len(TRUTH)]
    assert {(flag["zone"], flag["change"]) for flag in strongest} == TRUTH


@pytest.mark.usefixtures("compared")
@pytest.mark.parametrize("source", SOURCES[1:])
def test_every_source_gives_the_same_flags(place: Path, source: str) -> None:
    told, expected = flags(place, source), flags(place, "earth-search")
    same = ("id", "zone", "change", "scale")
    assert [[flag[key] for key in same] for flag in told] == [[flag[key] for key in same] for flag in expected]
    for one, other in zip(told, expected, strict=True):
        assert one["length_m"] == pytest.approx(other["length_m"], abs=10)
        assert one["width_m"] == pytest.approx(other["width_m"], abs=10)
        # Numbers of 0.0001 are rounded once more where a source takes the offset off.
        assert one["contrast"] == pytest.approx(other["contrast"], abs=2e-4)


@pytest.mark.usefixtures("compared")
def test_the_manifest_names_its_files_without_signatures_and_counts_what_the_servers_saw(
    world: Server, place: Path
) -> None:
    runs = {source: read(place, source) for source in SOURCES}
    own = {source: {scene["source"] for scene in run["scenes"]} for source, run in runs.items()}
    assert own == {source: {source} for source in SOURCES[:3]} | {"auto": {"earth-search"}}
    hrefs = [scene["href"] for run in runs.values() for scene in run["scenes"]]
    assert not any("sig=" in href or "?" in href for href in hrefs)
    assert sum(run["exchange"]["requests"] for run in runs.values()) == len(world.log())


@pytest.mark.usefixtures("compared")
def test_the_same_run_again_asks_nobody_and_leaves_the_same_bytes(world: Server, place: Path) -> None:
    before = len(world.log())
    again = call(command(place, "auto", "again"), environment(world, place / "cache-auto"))
    assert (again.code, len(world.log())) == (0, before)
    assert read(place, "again")["exchange"]["requests"] == 0
    first, second = read(place, "auto"), read(place, "again")
    assert {**first, **dict.fromkeys(DIFFERS)} == {**second, **dict.fromkeys(DIFFERS)}
    # The STAC Item holds the checksum of the manifest, and with it its times.
    names = {path.name for path in (place / "auto").iterdir()} - {"run.json", "item.json"}
    assert {"flags.geojson", "change.tif", "before.tif", "after.tif", "report.html"} <= names
    assert [name for name in sorted(names) if not same_bytes(place, name)] == []


def same_bytes(place: Path, name: str) -> bool:
    return (place / "auto" / name).read_bytes() == (place / "again" / name).read_bytes()


@pytest.mark.usefixtures("compared")
def test_without_a_network_a_run_is_repeated_from_the_cache(world: Server, place: Path) -> None:
    before = len(world.log())
    offline = command(place, "sentinel-hub", "offline", "--offline")
    # Without credentials too: nobody is asked who would want them.
    told = environment(world, place / "cache-sentinel-hub") | {"SH_CLIENT_ID": "", "SH_CLIENT_SECRET": ""}
    done = call(offline, told)
    assert (done.code, len(world.log())) == (0, before), done.err
    assert flags(place, "offline") == flags(place, "sentinel-hub")


def test_two_dates_of_25_km2_are_within_the_budget(world: Server, place: Path) -> None:
    before = len(world.log())
    out = ["--sensor", "s2", "--baseline", "0", "-o", str(place / "budget")]
    assert call(["compare", "khmeimim", *DATES, *out], environment(world, place / "cache-budget")).code == 0
    seen = world.log()[before:]
    exchange = read(place, "budget")["exchange"]
    assert exchange["requests"] == len(seen) <= MOST_REQUESTS
    # The token of Sentinel Hub does not come through the client that counts.
    assert sum(one.sent for one in seen if "/openid-connect/" not in one.path) == exchange["received_bytes"]
    assert exchange["received_bytes"] <= MOST_BYTES


@pytest.mark.usefixtures("compared")
def test_radar_is_compared_as_well_where_a_source_has_it(world: Server, place: Path) -> None:
    told = {}
    for source in ("earth-search", "planetary-computer"):
        both = command(place, source, f"both-{source}", "--sensor", "auto")
        told[source] = call(both, environment(world, place / f"cache-{source}"))
        assert told[source].code == 0, told[source].err
    runs = {source: read(place, f"both-{source}") for source in told}
    assert runs["planetary-computer"]["sensors"].keys() == {"s2", "s1"}
    assert "sensors" not in runs["earth-search"]
    lines = [line for line in told["earth-search"].err.splitlines() if line.startswith("warning: radar")]
    assert len(lines) == 1
    assert "earth-search" in lines[0]


@pytest.mark.usefixtures("compared")
def test_a_baseline_costs_in_proportion_and_only_what_is_new(world: Server, place: Path) -> None:
    more = command(place, "earth-search", "baseline", "--baseline", "2")
    assert call(more, environment(world, place / "cache-earth-search")).code == 0
    run, pair = read(place, "baseline"), read(place, "earth-search")
    tried = run["baseline"] + sum("rejected" in warning for warning in run["warnings"])
    assert run["baseline"] == 2
    # One search more; the two dates of the pair are in the cache, and each other date costs at most what they did.
    assert run["exchange"]["requests"] <= 1 + tried * pair["exchange"]["requests"] / 2
    assert run["exchange"]["received_bytes"] <= (1 + tried) * pair["exchange"]["received_bytes"] / 2


@pytest.fixture(scope="module")
def alone(place: Path) -> dict[str, Done]:
    """Call every command that needs a server where nobody listens."""
    area, none = str(place / "aprons.geojson"), environment(None, place / "cache-alone")
    commands = {
        "scenes": ["scenes", area, *MONTH],
        "compare": command(place, "auto", "alone"),
        "detectability": ["detectability", area, *DATES],
        "doctor": ["doctor"],
        "offline": command(place, "earth-search", "alone-offline", "--offline"),
    }
    processes = {name: begin(arguments, none) for name, arguments in commands.items()}
    return {name: end(process) for name, process in processes.items()}


@pytest.mark.parametrize("name", ["scenes", "compare", "detectability"])
def test_where_nobody_listens_that_is_said_and_nothing_is_concluded(alone: dict[str, Done], name: str) -> None:
    done = alone[name]
    assert (done.code, done.out) == (3, "")
    assert done.last.startswith("revisit: no source answered, so nothing is known of what imagery there is")
    assert "cannot be connected to" in done.last
    assert not [words for words in ABSENCE if words in done.said]


def test_the_doctor_says_that_no_source_answers(alone: dict[str, Done]) -> None:
    done = alone["doctor"]
    assert done.code == 3
    assert done.out.count("cannot be connected to") == 4
    assert done.last.startswith("no source of imagery answers")


def test_offline_with_an_empty_cache_is_one_clear_line(alone: dict[str, Done], place: Path) -> None:
    done = alone["offline"]
    assert done.code == 3
    assert "is not in the cache" in done.last
    assert "run it once with the network" in done.last
    assert read(place, "alone-offline")["finished"] is False


@pytest.fixture(scope="module")
def misled(place: Path) -> Iterator[dict[str, Done]]:
    """Ask catalogues that answer with something else than they should."""
    with start("world", paging={"earth-search": "empty-page"}, page_limit={"earth-search": 5}) as broken:
        broken.fault("POST /planetary-computer/*search", [Fault(status=200, body=b"<html>Log in", times=FOR_EVER)])
        message = Fault(status=200, body=b'{"message": "out of memory"}', times=FOR_EVER)
        broken.fault("POST */catalog/*search", [message])
        area = str(place / "aprons.geojson")
        commands = {
            f"{verb} {source}": ["scenes", area, *MONTH, "--source", source]
            if verb == "scenes"
            else command(place, source, f"misled-{source}")
            for source in SOURCES[:3]
            for verb in ("scenes", "compare")
        }
        told = environment(broken, place / "cache-misled")
        processes = {name: begin(arguments, told) for name, arguments in commands.items()}
        yield {name: end(process) for name, process in processes.items()}


@pytest.mark.parametrize("verb", ["scenes", "compare"])
@pytest.mark.parametrize(("source", "words"), [("planetary-computer", "a page"), ("sentinel-hub", "out of memory")])
def test_a_wrong_answer_is_never_no_scenes_and_never_no_change(
    misled: dict[str, Done], verb: str, source: str, words: str
) -> None:
    done = misled[f"{verb} {source}"]
    assert (done.code, done.out) == (3, "")
    assert words in done.last
    assert not [absent for absent in ABSENCE if absent in done.said]


def test_an_empty_page_with_a_link_to_the_next_is_not_the_end(misled: dict[str, Done], place: Path) -> None:
    listed = misled["scenes earth-search"]
    assert listed.code == 0
    assert sum("earth-search" in line for line in listed.out.splitlines()) == 6
    assert misled["compare earth-search"].code == 0
    assert read(place, "misled-earth-search")["complete"] is True


def test_a_run_that_a_source_ends_goes_on_where_it_stopped(world: Server, place: Path) -> None:
    again = command(place, "earth-search", "interrupted")
    told = environment(world, place / "cache-interrupted")
    world.fault("*_20241220T*/B04.tif", [Fault(status=403, times=FOR_EVER)])
    before = len(world.log())
    ended = call(again, told)
    first = len(world.log()) - before
    record = read(place, "interrupted")
    assert ended.code == 3
    assert "answered 403" in ended.last
    assert "run the same command again to go on" in ended.last
    assert (record["finished"], record["complete"]) == (False, False)
    assert [one["id"] for one in record["read"]] == ["S2A_T36SYE_20241130T082646_L2A"]
    assert [one["what"] for one in record["missing"]] == ["S2A_T36SYE_20241220T082716_L2A"]
    assert not [words for words in ABSENCE if words in ended.said]
    world.reset()
    assert call(again, told).code == 0
    assert len(world.log()) < first
    assert "finished" not in read(place, "interrupted")
