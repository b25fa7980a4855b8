"""Windows of remote rasters over true HTTP, with a server that fails, changes and breaks off."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import from_bounds

from imagery.cache import Cache
from imagery.errors import BadAnswerError, GoneError, OfflineError, SourceError
from imagery.exchange import MIB, Hosts, Request
from imagery.geotiff import read_on_grid
from imagery.http import Client, Patience
from imagery.remote import coarsest, window, windows
from tests.clocks import FastClock
from tests.rasters import grid
from tests.servers import Fault, Server, start
from tests.servers.faults import FOR_EVER
from tests.test_imagery_remote import assert_same, cog

ROOT = Path(__file__).parents[1]
HASTY = Patience(requests_per_s=1000)
WHERE = grid(cols=700, rows=700, width=400, height=400)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cog(tmp_path_factory.mktemp("served") / "a.tif", size=1600, blocks=128)


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with start("blank") as server:
        yield server


@pytest.fixture
def server(running: Server, source: Path) -> Server:
    running.put("/B04.tif", source.read_bytes(), "image/tiff")
    running.reset()
    return running


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", most_bytes=100 * MIB)


def request(server: Server, path: str = "/B04.tif") -> Request:
    return Request(url=server.url + path, hosts=Hosts(suffixes=(), configured=(server.url,)))


def hasty(cache: Cache | None = None, *, offline: bool = False, clock: FastClock | None = None) -> Client:
    return Client(cache=cache, offline=offline, patience=HASTY, clock=clock or FastClock())


def test_a_window_over_http_is_that_of_the_file_and_of_gdal(server: Server, source: Path, tmp_path: Path) -> None:
    with hasty() as client:
        copy = window(client, request(server), WHERE, folder=tmp_path)
        assert_same(copy, source, WHERE)
        assert client.traffic.received_bytes < source.stat().st_size / 3
        assert client.traffic.requests <= 6
    log = server.log()
    assert {entry.status for entry in log} == {206}
    with rasterio.open(f"/vsicurl/{server.url}/B04.tif") as remote:
        theirs = remote.read(1, window=from_bounds(*WHERE.bounds, remote.transform))
    np.testing.assert_array_equal(read_on_grid(copy, WHERE)[0], theirs)


def test_a_second_run_makes_no_request_and_needs_no_network(
    server: Server, source: Path, cache: Cache, tmp_path: Path
) -> None:
    for offline in (False, False, True):
        server.reset()
        with hasty(cache, offline=offline) as client:
            assert_same(window(client, request(server), WHERE, folder=tmp_path), source, WHERE)
            coarsest(client, request(server), folder=tmp_path)
    assert server.log() == []
    with hasty(cache, offline=True) as client, pytest.raises(OfflineError):
        window(client, request(server), grid(), folder=tmp_path)


@pytest.mark.parametrize("place", ["first", "later"])
def test_row_25_a_server_that_failed_once_is_really_asked_again(
    server: Server, source: Path, tmp_path: Path, place: str
) -> None:
    faults = [Fault(status=503)] if place == "first" else [Fault(delay_s=0.001), Fault(status=503)]
    server.fault("/B04.tif", faults)
    with hasty() as client:
        assert_same(window(client, request(server), WHERE, folder=tmp_path), source, WHERE)
    assert [entry.status for entry in server.log()].count(503) == 1


def test_row_25_an_object_that_was_not_there_is_found_in_the_same_process(
    server: Server, source: Path, cache: Cache, tmp_path: Path
) -> None:
    server.fault("/B04.tif", [Fault(status=404)])
    with hasty(cache) as client:
        with pytest.raises(GoneError):
            window(client, request(server), WHERE, folder=tmp_path)
        assert_same(window(client, request(server), WHERE, folder=tmp_path), source, WHERE)
    assert [entry.status for entry in server.log()][:2] == [404, 206]


def test_row_26_an_object_that_changed_between_runs_is_read_anew_and_both_tags_are_noted(
    server: Server, source: Path, cache: Cache, tmp_path: Path
) -> None:
    with hasty(cache) as client:
        assert_same(window(client, request(server), WHERE, folder=tmp_path), source, WHERE)
        assert client.notes == []
    new = cog(tmp_path / "new.tif", size=1600, blocks=128, seed=2)
    server.put("/B04.tif", new.read_bytes(), "image/tiff")
    clock = FastClock(wrong_by=timedelta(days=2))
    with hasty(Cache(cache.root, most_bytes=100 * MIB), clock=clock) as client:
        assert_same(window(client, request(server), WHERE, folder=tmp_path), new, WHERE)
        (note,) = client.notes
    assert "/B04.tif changed on its server" in note
    assert note.count('"') == 4


def test_row_26_an_object_that_changed_while_its_first_bytes_were_kept_is_read_anew(
    server: Server, cache: Cache, tmp_path: Path
) -> None:
    with hasty(cache) as client:
        window(client, request(server), grid(), folder=tmp_path)
    new = cog(tmp_path / "new.tif", size=1600, blocks=128, seed=2)
    server.put("/B04.tif", new.read_bytes(), "image/tiff")
    with hasty(cache) as client:
        assert_same(window(client, request(server), WHERE, folder=tmp_path), new, WHERE)
        assert any("no longer the one that was begun with" in note for note in client.notes)
    with hasty(cache, offline=True) as client:
        assert_same(window(client, request(server), WHERE, folder=tmp_path), new, WHERE)


def test_row_27_a_server_without_ranges_sends_the_whole_file_under_the_cap(
    server: Server, source: Path, cache: Cache, tmp_path: Path
) -> None:
    server.put("/whole.tif", source.read_bytes(), "image/tiff", ranges=False)
    asked = request(server, "/whole.tif")
    with hasty(cache) as client:
        assert_same(window(client, asked, WHERE, folder=tmp_path), source, WHERE)
    with hasty(cache, offline=True) as client:
        assert_same(window(client, asked, grid(), folder=tmp_path), source, grid())
    small = replace(asked, most_bytes=source.stat().st_size - 1)
    with hasty() as client, pytest.raises(BadAnswerError, match="sent more than"):
        window(client, small, WHERE, folder=tmp_path)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(cut_after=1000),
        Fault(reset=True, cut_after=1000),
        Fault(status=503, headers={"Retry-After": "2"}),
        Fault(alter=True, headers={"Content-Range": "bytes 0-9/10"}),
        Fault(alter=True, body=b"II*\0", status=206),
        Fault(reset=True),
    ],
    ids=["cut", "reset within", "503", "another part", "short", "reset"],
)
def test_row_28_a_range_that_fails_is_asked_for_again_or_the_scene_fails(
    server: Server, source: Path, cache: Cache, tmp_path: Path, fault: Fault
) -> None:
    server.fault("/B04.tif", [Fault(delay_s=0.001), fault, fault])
    with hasty(cache) as client:
        assert_same(window(client, request(server), WHERE, folder=tmp_path), source, WHERE)
        assert client.traffic.retries == 2
    server.reset()
    server.fault("/B04.tif", [replace(fault, times=FOR_EVER)])
    with hasty(cache) as client, pytest.raises(SourceError, match=r"127\.0\.0\.1"):
        window(client, request(server), grid(), folder=tmp_path)
    assert not cache.verify().bad


def test_row_31_an_interrupted_run_goes_on_where_it_stopped(
    server: Server, source: Path, cache: Cache, tmp_path: Path
) -> None:
    with hasty() as client:
        window(client, request(server), WHERE, folder=tmp_path)
    needed = {entry.headers["range"] for entry in server.log()}
    assert len(needed) > 3
    server.reset()
    server.fault("/B04.tif", [Fault(delay_s=0.001, times=3), Fault(status=500, times=FOR_EVER)])
    clock = FastClock()
    with hasty(cache, clock=clock) as client, pytest.raises(SourceError):
        window(client, request(server), WHERE, folder=tmp_path)
    had = {entry.headers["range"] for entry in server.log() if entry.status == 206}
    assert len(had) == 3
    server.reset()
    with hasty(cache, clock=clock) as client:
        assert_same(window(client, request(server), WHERE, folder=tmp_path), source, WHERE)
    assert {entry.headers["range"] for entry in server.log()} == needed - had


def test_row_32_a_kept_range_that_is_damaged_is_fetched_again_and_warned_of(
    server: Server, source: Path, cache: Cache, tmp_path: Path
) -> None:
    with hasty(cache) as client:
        window(client, request(server), WHERE, folder=tmp_path)
    data = sorted((cache.root / "entries").rglob("*.data"), key=lambda path: path.stat().st_size)
    content = bytearray(data[-1].read_bytes())
    content[len(content) // 2] ^= 1
    data[-1].write_bytes(content)
    data[0].unlink()
    server.reset()
    with hasty(cache) as client:
        assert_same(window(client, request(server), WHERE, folder=tmp_path), source, WHERE)
        assert len([note for note in client.notes if "moved to" in note]) == 2
    assert len(server.log()) == 2


TWO = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from imagery.cache import Cache
from imagery.exchange import Hosts, Request
from imagery.http import Client
from imagery.remote import window
from tests.rasters import grid
url, root, folder = sys.argv[1:]
request = Request(url=url + "/B04.tif", hosts=Hosts(suffixes=(), configured=(url,)))
where = grid(cols=700, rows=700, width=400, height=400)
with Client(cache=Cache(Path(root), most_bytes=10**8)) as client:
    print(window(client, request, where, folder=Path(folder)))
"""


def test_row_31_two_processes_that_need_the_same_fetch_it_once(
    server: Server, source: Path, cache: Cache, tmp_path: Path
) -> None:
    server.fault("/B04.tif", [Fault(delay_s=0.1, times=FOR_EVER)])
    code = TWO.format(root=str(ROOT))
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, server.url, str(cache.root), str(tmp_path / str(which))],
            stdout=subprocess.PIPE, text=True,
        )
        for which in range(2)
    ]  # fmt: skip
    copies = [Path(child.communicate()[0].strip()) for child in children]
    for copy in copies:
        assert_same(copy, source, WHERE)
    asked = [entry.headers["range"] for entry in server.log()]
    assert len(asked) == len(set(asked))


def test_several_assets_are_fetched_side_by_side_in_few_requests(server: Server, tmp_path: Path) -> None:
    paths = [f"/B0{band}.tif" for band in range(5)]
    files = [cog(tmp_path / f"{seed}.tif", size=1600, blocks=512, seed=seed) for seed in range(5)]
    for path, file in zip(paths, files, strict=True):
        server.put(path, file.read_bytes(), "image/tiff")
    with hasty() as client:
        copies = windows(client, [request(server, path) for path in paths], WHERE, folder=tmp_path / "out")
        assert client.traffic.requests <= 15
    for copy, file in zip(copies, files, strict=True):
        assert_same(copy, file, WHERE)
