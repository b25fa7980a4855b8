"""The viewer's server from outside: who is answered, what is given out, and what many askers do to it."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from shapely.affinity import translate
from shapely.ops import unary_union

from revisit.journal import jobs, journal, journal_path
from revisit.outputs import write_run
from revisit.picture import shades, shared_stretch
from revisit.runs import find_runs, open_run
from revisit.viewer.catalogue import Catalogue
from tests.standin import AFTER, BEFORE, blob, make_flags, make_grid, make_raster, make_result, make_zone

ROOT = Path(__file__).parents[1]
START = "from revisit.cli.main import main; main()"


@dataclass(frozen=True, kw_only=True)
class Served:
    """A running viewer."""

    port: int
    token: str
    root: Path

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Return (status, headers, body) of a request below the token, or of an absolute path."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        whole = path if path.startswith("/") else f"/{self.token}/{path}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, whole, headers=named)
        answer = connection.getresponse()
        found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        connection.close()
        return found


def write_runs(root: Path) -> None:
    """Write two runs of one area and one of another."""
    grid = make_grid()
    middle = make_raster(grid, AFTER, 2)
    late = make_raster(grid, AFTER.replace(day=25), 3)
    write_run(make_result(grid, before=make_raster(grid, BEFORE, 1), after=middle), root / "first")
    flags = make_flags([blob(40, 20, change="altered")])
    write_run(make_result(grid, before=middle, after=late, flags=flags), root / "second")
    write_run(make_result(make_grid(50, 70), name="other place"), root / "deeper" / "third")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return a viewer in a process of its own."""
    root = tmp_path_factory.mktemp("viewed") / "runs"
    root.mkdir()
    write_runs(root)
    (root / "broken").mkdir()
    (root / "broken" / "run.json").write_text("{}")
    outside = root.parent / "secret.txt"
    outside.write_text("canary")
    (root / "first" / "overlay.png").unlink()
    (root / "first" / "overlay.png").symlink_to(outside)
    command = [sys.executable, "-c", START, "view", str(root)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stderr
    address = urlsplit(process.stdout.readline().strip())
    assert address.hostname == "127.0.0.1"
    yield Served(port=address.port or 0, token=address.path.strip("/"), root=root)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=20)
    errors = process.stderr.read()
    process.stdout.close()
    process.stderr.close()
    assert "Traceback" not in errors


def test_the_page_and_its_parts_are_answered_with_a_strict_policy(served: Served) -> None:
    for name in (
        "",
        "static/view.js",
        "static/map.js",
        "static/base.css",
        "static/land.json",
        "runs.json",
        "jobs.json",
    ):
        status, headers, body = served.ask(name)
        assert (status, bool(body)) == (200, True), name
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


@pytest.mark.parametrize(
    ("path", "method", "headers", "status"),
    [
        ("", "GET", {"Host": "evil.example"}, 400),
        ("", "GET", {"Host": "127.0.0.1.evil.example"}, 400),
        ("", "GET", {"Host": "127.0.0.1:1"}, 400),
        ("", "GET", {"Origin": "http://evil.example"}, 403),
        ("", "GET", {"Origin": "null"}, 403),
        ("runs.json", "GET", {"Sec_Fetch_Site": "cross-site"}, 403),
        ("/", "GET", {}, 404),
        ("/wrong/runs.json", "GET", {}, 404),
        ("", "POST", {}, 405),
        ("runs.json", "DELETE", {}, 405),
        ("runs.json", "OPTIONS", {}, 405),
        ("runs.json?" + "a" * 5000, "GET", {}, 414),
        ("static/", "GET", {}, 404),
        ("static/view.py", "GET", {}, 404),
        ("static/..%2f..%2f__init__.py", "GET", {}, 404),
        ("static/%2e%2e/catalogue.py", "GET", {}, 404),
        ("run/", "GET", {}, 404),
        ("run/000000000000/run.json", "GET", {}, 404),
        ("area/nothing/date/0.png", "GET", {}, 404),
    ],
)
def test_what_must_not_be_answered_is_not(
    served: Served, path: str, method: str, headers: dict[str, str], status: int
) -> None:
    assert served.ask(path, method, **headers)[0] == status


def _document(served: Served) -> dict[str, list[dict[str, object]]]:
    """Return what the page reads of the runs."""
    return dict(json.loads(served.ask("runs.json")[2]))


def test_files_are_given_out_by_a_short_list_and_never_through_a_link(served: Served) -> None:
    runs = {str(run["folder"]): run["key"] for run in _document(served)["runs"]}
    first = runs["first"]
    assert served.ask(f"run/{first}/flags.geojson")[0] == 200
    status, headers, body = served.ask(f"run/{first}/report.html")
    assert (status, headers["content-security-policy"]) == (200, "frame-ancestors 'none'")
    assert body == (served.root / "first" / "report.html").read_bytes()
    for name in ("overlay.png", "item.json", "change.tif", "..%2fsecond%2frun.json", "..%2f..%2fsecret.txt"):
        assert served.ask(f"run/{first}/{name}")[0] == 404, name


def test_the_runs_are_told_by_area_without_any_path(served: Served) -> None:
    document = _document(served)
    text = json.dumps(document)
    assert sorted(str(area["name"]) for area in document["areas"]) == ["other place", "stand-in"]
    (area,) = (area for area in document["areas"] if area["name"] == "stand-in")
    days = [str(date["moment"])[:10] for date in area["dates"]]  # type: ignore[attr-defined]
    assert days == ["2024-11-30", "2024-12-15", "2024-12-25"]
    assert len(document["flags"]) == 5
    assert str(served.root.parent.parent) not in text
    assert [problem for problem in document["problems"] if "broken" in str(problem)]


def test_a_date_is_shown_pixel_by_pixel(served: Served) -> None:
    run = open_run(served.root / "deeper" / "third")
    (area,) = (area for area in _document(served)["areas"] if area["name"] == "other place")
    status, headers, body = served.ask(f"area/{area['key']}/date/1.png")
    assert (status, headers["content-type"]) == (200, "image/png")
    stretch = shared_stretch((run.raster("before"), run.raster("after")))
    with Image.open(io.BytesIO(body)) as picture:
        assert np.array_equal(np.asarray(picture), shades(run.raster("after"), stretch))
    assert served.ask(f"area/{area['key']}/date/2.png")[0] == 404


async def _status(port: int, path: str) -> int:
    """Return the status of one of many requests; 0 where the connection was refused or cut."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        head = await reader.readline()
        writer.close()
        return int(head.split()[1]) if head else 0
    except OSError:
        return 0


def test_two_thousand_at_once_are_answered_or_sent_away_and_it_lives_on(served: Served) -> None:
    async def rush() -> list[int]:
        return await asyncio.gather(*(_status(served.port, f"/{served.token}/jobs.json") for _ in range(2000)))

    statuses = set(asyncio.run(rush()))
    assert statuses <= {0, 200, 503}
    assert served.ask("jobs.json")[0] == 200


def test_a_head_without_end_is_cut(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
        connection.sendall(f"GET /{served.token}/ HTTP/1.1\r\n".encode())
        try:
            for _ in range(100):
                connection.sendall(b"X-A: " + b"a" * 1000 + b"\r\n")
            answer = connection.recv(100)
        except OSError:
            answer = b""
    assert answer == b"" or b" 400 " in answer


def test_only_this_machine_can_connect(served: Served) -> None:
    listening = Path("/proc/net/tcp").read_text().splitlines()[1:]
    ports = [line.split()[1] for line in listening if line.split()[3] == "0A"]
    assert f"0100007F:{served.port:04X}" in ports
    assert f"00000000:{served.port:04X}" not in ports


def test_a_running_job_is_seen_and_a_dead_one_is_told_apart(served: Served) -> None:
    said: list[str] = []
    with journal(served.root / "fresh", said.append) as note:
        note("reading a scene")
        (job,) = json.loads(served.ask("jobs.json")[2])
        assert (job["name"], job["running"], job["lines"]) == ("fresh", True, ["reading a scene"])
        record = json.loads(journal_path(served.root / "fresh").read_text())
    assert said == ["reading a scene"]
    assert json.loads(served.ask("jobs.json")[2]) == []
    finished = subprocess.Popen([sys.executable, "-c", ""])
    finished.wait()
    journal_path(served.root / "dead").write_text(json.dumps({**record, "pid": finished.pid}))
    (job,) = json.loads(served.ask("jobs.json")[2])
    journal_path(served.root / "dead").unlink()
    assert (job["name"], job["running"]) == ("dead", False)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": "x"}', '{"pid": 1, "lines": 3}'])
def test_a_journal_that_is_none_is_passed_over(tmp_path: Path, content: str) -> None:
    (tmp_path / ".x.progress.json").write_text(content)
    (tmp_path / ".y.progress.json").symlink_to(tmp_path / ".x.progress.json")
    assert jobs(tmp_path) == []


def test_a_job_goes_on_where_its_journal_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said: list[str] = []
    with journal(tmp_path / "file" / "run", said.append) as note:
        note("one")
    assert said == ["one"]


def test_only_some_pictures_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("revisit.viewer.catalogue.KEPT", 1)
    write_run(make_result(), tmp_path / "run")
    catalogue = Catalogue([open_run(tmp_path / "run")], [])
    (key,) = catalogue.areas
    pictures = [catalogue.picture(key, number) for number in (0, 1, 0)]
    assert pictures[0] == pictures[2] != pictures[1]
    with pytest.raises(LookupError):
        catalogue.picture(key, -1)
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(LookupError):
        catalogue.picture("other", 0)


def test_a_zone_in_parts_and_a_second_sensor_are_shown(tmp_path: Path) -> None:
    grid = make_grid()
    parts = unary_union([make_zone(grid).geometry, translate(make_zone(grid).geometry, 0.006, 0.002)])
    zones = (replace(make_zone(grid), geometry=parts),)
    write_run(make_result(grid, zones=zones), tmp_path / "optical")
    power = np.full((2, *grid.shape), 0.05, np.float32)
    before, after = (
        make_raster(grid, when, bands=("VV", "VH"), data=power, quantity="gamma0") for when in (BEFORE, AFTER)
    )
    write_run(make_result(grid, zones=zones, flags=(), before=before, after=after), tmp_path / "radar")
    runs, problems = find_runs(tmp_path)
    catalogue = Catalogue(runs, problems)
    areas = json.loads(catalogue.document)["areas"]
    assert sorted(area["sensor"] for area in areas) == ["optical", "radar"]
    assert all(area["zones"][0]["path"].count("M") == 2 for area in areas)
    for key in catalogue.areas:
        assert catalogue.picture(key, 0).startswith(b"\x89PNG")


@pytest.mark.parametrize(("arguments", "words"), [(["none"], "is no folder"), ([".", "--port", "80"], "--port 80")])
def test_what_cannot_be_served_is_refused(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", START, "view", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert words in done.stderr


def test_a_port_that_is_taken_is_said(served: Served) -> None:
    command = [sys.executable, "-c", START, "view", str(served.root), "--port", str(served.port)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert f"port {served.port} of 127.0.0.1 is taken" in done.stderr
