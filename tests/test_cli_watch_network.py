"""A watch that asks servers: what they fail at is said, not kept, and asked for again; no secret is in what is left."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from revisit.cli.main import call
from revisit.watch_hook import SECRET_VARIABLE
from tests.commands import write_aprons
from tests.receiver import SECRET
from tests.servers import FOR_EVER, Fault, Server, start
from tests.watching import content, unnamed

FIRST, CLOUDED, LAST = "2024-11-30", "2024-12-05", "2024-12-20"
TRUTH = {("apron-north", "appeared"), ("apron-north", "vanished"), ("apron-centre", "vanished")}
"""What the world's ground does on two aprons between the first and the last day."""
TOKEN = "T0kenInThePath"


@pytest.fixture(scope="module")
def world() -> Iterator[Server]:
    with start("world", days=[FIRST, CLOUDED]) as server:
        yield server


@pytest.fixture
def state(world: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a state that has looked at the clouded day."""
    world.reset()
    monkeypatch.setattr("revisit.detectability.with_candidates", unnamed, raising=False)
    for name, value in {**world.environment(), "REVISIT_CACHE_DIR": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    area, made = write_aprons(tmp_path / "aprons.geojson"), tmp_path / "state.sqlite"
    how = ["--source", "earth-search", "--sensor", "s2", "--since", "2024-12-01", "--baseline", "0"]
    assert call(["watch", "add", str(area), *how, "--false-alarms", "1", "--state", str(made)]) == 0
    assert call(["watch", "run", "--state", str(made)]) == 0
    return made


def run(state: Path, capsys: pytest.CaptureFixture[str], *more: str, code: int = 0) -> tuple[str, str]:
    """Look, with nothing kept of earlier answers; return what was printed and said."""
    shutil.rmtree(state.parent / "cache", ignore_errors=True)
    capsys.readouterr()
    assert call(["watch", "run", "--state", str(state), *more]) == code
    shown = capsys.readouterr()
    return shown.out, shown.err


def test_a_failure_changes_nothing_and_what_is_new_is_told_at_the_next_call(
    world: Server, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = content(state)
    assert len(known["pass"]) == 1
    faults: list[tuple[str, dict[str, Any]]] = [
        ("POST */search", {"status": 403}),
        ("GET */B04.tif", {"status": 403}),
    ]
    for pattern, fault in faults:
        world.reset()
        world.set(days=[FIRST, CLOUDED, LAST])
        world.fault(pattern, [Fault(times=FOR_EVER, **fault)])
        out, _ = run(state, capsys, "--fail-on-change", code=3)
        assert out.startswith("aprons: could not look: ")
        assert "answered 403" in out
        assert "no new" not in out
        assert content(state)["comparison"] == []
    world.reset()
    world.set(days=[FIRST, CLOUDED, LAST], paging={"earth-search": "short"})
    out, _ = run(state, capsys, code=3)
    assert "could not look: the source answered in part, so that a new pass may be missing" in out
    assert content(state)["comparison"] == []
    world.reset()
    world.set(days=[FIRST, CLOUDED, LAST])
    out, _ = run(state, capsys, "--json", "--fail-on-change", code=1)
    (told,) = json.loads(out)["notices"]
    flags = [one["properties"] for one in told["new"]["features"]]
    strongest = sorted(flags, key=lambda flag: -abs(flag["contrast"]))[: len(TRUTH)]
    assert {(flag["zone"], flag["change"]) for flag in strongest} == TRUTH
    asked = len(world.log())
    assert "no new imagery" in run(state, capsys)[0]
    assert [one.method for one in world.log()[asked:]] == ["POST"]


def test_nobody_who_listens_is_exit_3_and_offline_says_what_is_missing(
    state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVISIT_EARTH_SEARCH_URL", "http://127.0.0.1:9/v1")
    out, _ = run(state, capsys, code=3)
    assert "cannot be connected to" in out
    out, _ = run(state, capsys, "--offline", code=3)
    assert "is not in the cache" in out


def test_no_output_of_a_watch_shows_the_secrets_of_its_webhook(
    world: Server, state: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(SECRET_VARIABLE, SECRET)
    with start("blank") as receiver:
        url = f"{receiver.url}/{TOKEN}?key={TOKEN}"
        echo = json.dumps({"error": f"{TOKEN} {SECRET}"}).encode()
        receiver.fault("POST *", [Fault(status=400, body=echo), Fault(status=204, times=FOR_EVER)])
        world.set(days=[FIRST, CLOUDED, LAST])
        feed = state.with_name("feed.xml")
        out, err = run(state, capsys, "--webhook", url, "--feed", str(feed), code=3)
        assert "the webhook did not take 1 notice(s)" in err
        assert "They are sent again at the next call" in err
        more_out, more_err = run(state, capsys)
        assert "1 notice(s) of an earlier call wait for a webhook; give --webhook" in more_err
        assert run(state, capsys, "--webhook", url)[1].count("did not take") == 0
        assert [one.status for one in receiver.log()] == [400, 204]
    left = b"\n".join(path.read_bytes() for path in state.parent.rglob("*") if path.is_file())
    said = f"{out}{err}{more_out}{more_err}{caplog.text}"
    for secret in (TOKEN, SECRET):
        assert secret.encode() not in left
        assert secret not in said
