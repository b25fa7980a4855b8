"""The blank server: ranges, entity tags, faults and the log, as independent clients see them."""

from __future__ import annotations

import http.client
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.rasters import write_raster
from tests.servers import FOR_EVER, Fault, Server, start

CONTENT = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with start("blank") as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.reset()
    running.put("/a.bin", CONTENT)
    return running


def test_whole_objects_and_their_heads(server: Server) -> None:
    got, head = requests.get(f"{server.url}/a.bin", timeout=5), requests.head(f"{server.url}/a.bin", timeout=5)
    assert got.content == CONTENT
    assert head.content == b""
    assert head.headers["Content-Length"] == got.headers["Content-Length"] == str(len(CONTENT))
    assert head.headers["ETag"] == got.headers["ETag"]
    assert requests.get(f"{server.url}/b.bin", timeout=5).status_code == 404


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("0-0", 0, 0),
        ("100-299", 100, 299),
        ("10000-", 10000, 10239),
        ("-40", 10200, 10239),
        ("10230-99999", 10230, 10239),
    ],
)
def test_parts_of_objects(server: Server, asked: str, first: int, last: int) -> None:
    got = requests.get(f"{server.url}/a.bin", headers={"Range": f"bytes={asked}"}, timeout=5)
    assert got.status_code == 206
    assert got.content == CONTENT[first : last + 1]
    assert got.headers["Content-Range"] == f"bytes {first}-{last}/{len(CONTENT)}"


def test_parts_behind_the_end_are_refused(server: Server) -> None:
    got = requests.get(f"{server.url}/a.bin", headers={"Range": f"bytes={len(CONTENT)}-"}, timeout=5)
    assert (got.status_code, got.headers["Content-Range"]) == (416, f"bytes */{len(CONTENT)}")


def test_conditions_follow_the_entity_tag(server: Server) -> None:
    old = requests.get(f"{server.url}/a.bin", timeout=5).headers["ETag"]
    server.put("/a.bin", CONTENT[::-1])

    def status(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.get(f"{server.url}/a.bin", headers=named, timeout=5).status_code

    new = requests.get(f"{server.url}/a.bin", timeout=5).headers["ETag"]
    assert new != old
    assert [status(If_Match=old), status(If_Match=new), status(If_None_Match=new)] == [412, 200, 304]
    assert [status(Range="bytes=0-9", If_Range=old), status(Range="bytes=0-9", If_Range=new)] == [200, 206]


def test_an_object_may_be_without_ranges(server: Server) -> None:
    address = server.put("/whole.bin", CONTENT, ranges=False)
    got = requests.get(address, headers={"Range": "bytes=0-9"}, timeout=5)
    assert (got.status_code, got.content) == (200, CONTENT)


def test_faults_come_one_by_one_and_then_the_truth(server: Server) -> None:
    server.fault("/a.*", [Fault(headers={"Retry-After": "7"}, times=2), Fault(status=200, body=b"<html>")])
    got = [requests.get(f"{server.url}/a.bin", timeout=5) for _ in range(4)]
    assert [one.status_code for one in got] == [503, 503, 200, 200]
    assert got[0].headers["Retry-After"] == "7"
    assert [one.content for one in got[2:]] == [b"<html>", CONTENT]
    assert [(one.status, one.sent, one.fault) for one in server.log()[2:]] == [
        (200, 6, True),
        (200, len(CONTENT), False),
    ]


def test_a_pattern_may_name_the_method_and_the_query(server: Server) -> None:
    server.fault("POST /a.bin", [Fault()])
    server.fault("/a.bin[?]page=2", [Fault(status=502)])
    assert requests.get(f"{server.url}/a.bin", timeout=5).status_code == 200
    assert requests.get(f"{server.url}/a.bin?page=2", timeout=5).status_code == 502
    assert requests.post(f"{server.url}/a.bin", timeout=5).status_code == 503


def test_a_cut_body_is_shorter_than_its_length(server: Server) -> None:
    server.fault("/a.bin", [Fault(cut_after=100), Fault(cut_after=100, chunked=True)])
    for _ in range(2):
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            requests.get(f"{server.url}/a.bin", timeout=5)
    assert [one.sent for one in server.log()] == [100, 100]


def test_a_body_in_chunks_is_whole(server: Server) -> None:
    server.fault("/a.bin", [Fault(chunked=True)])
    got = requests.get(f"{server.url}/a.bin", timeout=5)
    assert got.headers["Transfer-Encoding"] == "chunked"
    assert got.content == CONTENT


def test_a_connection_is_reset(server: Server) -> None:
    server.fault("/a.bin", [Fault(reset=True)])
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=5)
    connection.request("GET", "/a.bin")
    with pytest.raises(ConnectionResetError):
        connection.getresponse()


def test_delay_and_trickle_take_their_time(server: Server) -> None:
    server.fault("/a.bin", [Fault(delay_s=0.3), Fault(trickle_bytes_s=len(CONTENT) / 0.3)])
    for _ in range(2):
        began = time.monotonic()
        assert requests.get(f"{server.url}/a.bin", timeout=5).content == CONTENT
        assert time.monotonic() - began > 0.25


def test_a_true_answer_is_altered(server: Server) -> None:
    server.fault("/a.bin", [Fault(alter=True, headers={"ETag": '"other"', "Accept-Ranges": ""})])
    got = requests.get(f"{server.url}/a.bin", headers={"Range": "bytes=5-9"}, timeout=5)
    assert (got.status_code, got.content, got.headers["ETag"]) == (206, CONTENT[5:10], '"other"')
    assert "Accept-Ranges" not in got.headers


def test_faults_by_chance_are_the_same_for_the_same_seed(server: Server) -> None:
    def drawn() -> list[int]:
        server.reset()
        server.fault("/a.bin", [Fault(), Fault(status=500)], share=0.3, seed=7)
        return [requests.get(f"{server.url}/a.bin", timeout=5).status_code for _ in range(60)]

    first = drawn()
    assert first == drawn()
    assert set(first) == {200, 500, 503}
    assert 30 < first.count(200) < 55


def test_the_log_holds_what_was_asked(server: Server) -> None:
    requests.post(f"{server.url}/a.bin?x=1", json={"limit": 2}, headers={"X-Mine": "yes"}, timeout=5)
    (one,) = server.log("/a.bin*")
    assert (one.method, one.path, one.headers["x-mine"], one.json) == ("POST", "/a.bin?x=1", "yes", {"limit": 2})
    assert one.origin == server.url


def test_the_clock_of_the_server_can_be_wrong(server: Server) -> None:
    from email.utils import parsedate_to_datetime

    server.set(clock_s=-86_400)
    told = parsedate_to_datetime(requests.get(f"{server.url}/a.bin", timeout=5).headers["Date"])
    assert abs(told.timestamp() + 86_400 - time.time()) < 5


def test_an_endless_fault_ends_with_a_reset(server: Server) -> None:
    server.fault("*", [Fault(status=429, times=FOR_EVER)])
    assert [requests.get(server.url, timeout=5).status_code for _ in range(5)] == [429] * 5
    server.reset()
    assert requests.get(f"{server.url}/a.bin", timeout=5).status_code == 200


def test_tls_is_trusted_with_the_authority_and_not_without() -> None:
    with start("blank", tls=True) as server:
        server.put("/a.bin", CONTENT)
        assert requests.get(f"{server.url}/a.bin", verify=str(server.ca_file), timeout=5).content == CONTENT
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{server.url}/a.bin", timeout=5)
        stranger = ssl.create_default_context()
        assert not any("trustme" in str(one) for one in stranger.get_ca_certs())


def test_gdal_reads_a_window_by_ranges(server: Server, tmp_path: Path) -> None:
    import numpy as np

    pixels = np.random.default_rng(3).integers(1, 60_000, (600, 600)).astype(np.uint16)
    path = write_raster(tmp_path / "a.tif", pixels, tiled=True, blockxsize=128, blockysize=128)
    address = server.put("/a.tif", path.read_bytes(), "image/tiff")
    code = (
        "import rasterio, sys\nfrom rasterio.windows import Window\n"
        "with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN='EMPTY_DIR'):\n"
        "    file = rasterio.open('/vsicurl/' + sys.argv[1])\n"
        "    print(int(file.read(1, window=Window(300, 400, 50, 20)).astype('int64').sum()))"
    )
    done = subprocess.run([sys.executable, "-c", code, address], capture_output=True, text=True, check=True)
    assert int(done.stdout) == int(pixels[400:420, 300:350].astype(np.int64).sum())
    got = [one for one in server.log("/a.tif") if one.method == "GET"]
    assert {one.status for one in got} == {206}
    assert sum(one.sent for one in got) < path.stat().st_size


def test_the_process_ends_with_its_parent() -> None:
    code = "import os; from tests.servers import start; print(start('blank').url, flush=True); os._exit(1)"
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    address = done.stdout.strip()
    with pytest.raises(requests.ConnectionError):  # noqa: PT012  (the port is refused as soon as the process is gone)
        for _ in range(100):
            requests.get(address, timeout=5)
            time.sleep(0.05)
