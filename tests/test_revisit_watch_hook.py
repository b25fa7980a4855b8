"""The webhook against real receivers: signed, delivered until taken, and nowhere else than it may lead."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from shapely.geometry import box

from imagery.addresses import Reach
from imagery.errors import AddressError, SourceError, UnreachableError
from imagery.http.posting import PATIENCE, Parcel, deliver
from revisit.errors import UsageError
from revisit.watch_hook import SECRET_VARIABLE, Webhook, deliver_notices, signature, waiting, webhook_of
from revisit.watch_store import WatchState, open_state
from revisit.watch_values import Judgement, NewChange, SeenPass, WatchWish
from tests.clocks import FastClock
from tests.passes import scene
from tests.receiver import ROOT, SECRET, documented
from tests.servers import FOR_EVER, Fault, Server, start

ENVIRONMENT = {SECRET_VARIABLE: SECRET}
TOKEN = "T0kenInThePath"
PATH = f"/services/{TOKEN}"
TAKEN = Fault(status=204, times=FOR_EVER)


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with start("blank") as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.reset()
    return running


@pytest.fixture
def state(tmp_path: Path) -> Iterator[WatchState]:
    """Return a state with two notices that wait."""
    with open_state(tmp_path / "state.sqlite", create=True) as made:
        made.add("field", "field", "{}", WatchWish(since=date(2024, 12, 1)))
        for day in (12, 17):
            record(made, day)
        yield made


def record(state: WatchState, day: int) -> None:
    """Keep a comparison with a new change."""
    (area,) = state.areas()
    looked = []
    for number in (7, day):
        one = scene(f"P{number}", acquired=scene("x").acquired.replace(day=number))
        known = next((p for p in state.passes(area, "s2") if p.acquired == one.acquired), None)
        key = state.keep_pass(area, one, 1.0, known)
        looked.append(SeenPass(key=key, scene=one, acquired=one.acquired, share=1.0))
    change = NewChange(flag="F1", sign="appeared", outline=box(35.95, 35.4, 35.951, 35.401))
    told = {"id": state.notice_id(area, *looked), "title": f"day {day} \u2013 \u0634"}
    made = Judgement(
        area=area.key, before=looked[0], after=looked[1], run="r", flags=1, by_chance=1.0, new=(change,), notice=told
    )
    state.record(made, webhook=True)


def hook(url: str, **options: Any) -> Webhook:
    return webhook_of(url, ENVIRONMENT, **({"allow_private": False} | options))


def send(state: WatchState, server: Server, path: str = PATH) -> str | None:
    """Deliver what waits without waiting; return why not all was taken."""
    return deliver_notices(state, [], hook(server.url + path), clock=FastClock())


def test_a_receiver_made_from_the_documentation_takes_each_notice_once(state: WatchState, tmp_path: Path) -> None:
    folder = tmp_path / "taken"
    folder.mkdir()
    command = [sys.executable, "-m", "tests.receiver", str(folder)]
    receiver = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert receiver.stdout
        url = receiver.stdout.readline().strip()
        wrong = webhook_of(url, {SECRET_VARIABLE: "another secret, as long"}, allow_private=False)
        said = deliver_notices(state, [], wrong, clock=FastClock())
        assert said is not None
        assert "answered 403" in said
        assert len(waiting(state, [])) == 2
        assert deliver_notices(state, [], hook(url)) is None
    finally:
        receiver.kill()
        receiver.wait()
        if receiver.stdout:
            receiver.stdout.close()
    assert waiting(state, []) == ()
    assert [json.loads((folder / f"{n}.json").read_bytes())["title"][:6] for n in (1, 2)] == ["day 12", "day 17"]


def test_the_signature_is_over_time_and_body() -> None:
    is_signed = documented()["is_signed"]
    signed = signature(SECRET.encode(), b'{"a":1}', moment=1_700_000_000)
    assert is_signed(SECRET.encode(), signed, b'{"a":1}', now=1_700_000_200)
    assert not is_signed(SECRET.encode(), signed, b'{"a":2}', now=1_700_000_200)
    assert not is_signed(b"another", signed, b'{"a":1}', now=1_700_000_200)
    assert not is_signed(SECRET.encode(), signed, b'{"a":1}', now=1_700_001_000)
    assert not is_signed(SECRET.encode(), signed.replace("t=17", "t=18"), b'{"a":1}', now=1_800_000_000)
    assert not is_signed(SECRET.encode(), "nonsense", b'{"a":1}', now=1_700_000_200)


def test_a_notice_has_the_same_name_and_bytes_at_every_attempt(state: WatchState, server: Server) -> None:
    server.fault(f"POST {PATH}", [Fault(status=503, headers={"Retry-After": "2"}), Fault(reset=True), TAKEN])
    assert send(state, server) is None
    log = server.log(PATH)
    assert [one.status for one in log] == [503, 0, 204, 204]
    assert len({one.headers["idempotency-key"] for one in log[:3]}) == len({one.body for one in log[:3]}) == 1
    assert log[0].headers["idempotency-key"] == log[0].json["id"] != log[3].json["id"]
    assert len({one.headers["revisit-signature"] for one in log[:3]}) > 1
    assert log[0].headers["content-type"] == "application/json"


def test_what_is_not_taken_waits_in_its_order(state: WatchState, server: Server) -> None:
    server.fault(f"POST {PATH}", [Fault(status=500, times=PATIENCE.attempts), TAKEN])
    said = send(state, server)
    assert said is not None
    assert f"answered 500 ({PATIENCE.attempts} attempts)" in said
    assert len(server.log(PATH)) == PATIENCE.attempts
    assert send(state, server) is None
    assert [one.json["title"][:6] for one in server.log(PATH)[PATIENCE.attempts :]] == ["day 12", "day 17"]


def test_a_refusal_is_not_sent_again_in_the_same_call(state: WatchState, server: Server) -> None:
    server.fault(f"POST {PATH}", [Fault(status=400, body=b'{"error": "no such channel"}', times=FOR_EVER)])
    said = send(state, server)
    assert said == f"{server.url}: answered 400 (no such channel) (1 attempt)"


def test_a_redirect_is_not_followed(state: WatchState, server: Server) -> None:
    target = server.put("/elsewhere", b"")
    server.fault(f"POST {PATH}", [Fault(status=307, headers={"Location": target}, times=FOR_EVER)])
    said = send(state, server)
    assert said is not None
    assert "it redirects, which is not followed" in said
    assert server.log("/elsewhere") == []


def test_an_acknowledgement_may_be_endless_and_without_a_length(state: WatchState, server: Server) -> None:
    endless = Fault(status=200, body=b"x" * 5_000_000, trickle_bytes_s=1000, times=FOR_EVER)
    server.fault(f"POST {PATH}", [endless])
    assert send(state, server) is None


def test_nothing_that_is_said_shows_the_token_of_the_address(state: WatchState, server: Server) -> None:
    echo = json.dumps({"error": f"no hook {TOKEN}"}).encode()
    server.fault(f"POST {PATH}", [Fault(status=404, body=echo, times=FOR_EVER)])
    said = send(state, server, f"{PATH}?key={TOKEN}")
    assert said is not None
    assert TOKEN not in said
    assert TOKEN not in repr(hook(f"{server.url}{PATH}"))
    assert SECRET not in repr(hook(f"{server.url}{PATH}"))
    assert TOKEN.encode() not in state.path.read_bytes()
    assert SECRET.encode() not in state.path.read_bytes()


def test_where_nobody_listens_it_is_said_soon(state: WatchState) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/x"
    said = deliver_notices(state, [], hook(url), clock=FastClock())
    assert said is not None
    assert "cannot be connected to" in said
    assert "(3 attempts)" in said


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"http://hooks.example.org{PATH}", "only https is"),
        (f"https://{TOKEN}@hooks.example.org/", "a user or password stands in it"),
        (f"https://hooks.example.org:8443{PATH}", "--allow-private lets it lead to other ports"),
        (f"ftp://hooks.example.org{PATH}", "it is no plain http or https address"),
        (f"https://hooks.example.org{PATH}#{TOKEN}", "it is no plain http or https address"),
        (f"https://hooks.example.org\\@evil.org{PATH}", "it is no plain http or https address"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_being_shown(url: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        hook(url)
    assert reason in str(caught.value)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("secret", ["", "short"])
def test_without_a_secret_nothing_is_sent(secret: str) -> None:
    with pytest.raises(UsageError, match=f"{SECRET_VARIABLE} .* signed with it") as caught:
        webhook_of("https://hooks.example.org/x", {SECRET_VARIABLE: secret}, allow_private=False)
    assert not secret or f"has {len(secret)} characters" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "allowed", "reach"),
    [
        ("https://hooks.example.org/x", False, "public"),
        ("https://hooks.example.org:8443/x", True, "configured"),
        ("https://192.168.1.7/x", True, "configured"),
        ("http://127.0.0.1:9/x", False, "loopback"),
    ],
)
def test_how_far_an_address_may_lead(url: str, allowed: bool, reach: Reach) -> None:
    assert hook(url, allow_private=allowed).reach == reach


@pytest.mark.parametrize("ip", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "100.64.0.1", "::1", "::ffff:10.0.0.7"])
def test_a_public_name_that_leads_inside_is_not_connected_to(
    state: WatchState, ip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("imagery.http.connection.look_up", lambda *_, **__: [ip])
    said = deliver_notices(state, [], hook("https://hooks.example.org/x"), clock=FastClock())
    assert said is not None
    assert f"its name leads to {ip}, which is not on the public Internet; not connected" in said
    assert "--allow-private" in said


def parcel(url: str) -> Parcel:
    return Parcel(url=url, reach="loopback", body=b"{}", headers=dict)


def test_delivering_counts_its_attempts_and_honours_the_wait_that_is_asked_for(server: Server) -> None:
    clock = FastClock()
    server.fault(f"POST {PATH}", [Fault(status=429, headers={"Retry-After": "7"}), TAKEN])
    assert deliver(parcel(server.url + PATH), clock=clock) == 2
    assert clock.slept == [pytest.approx(7, abs=0.1)]


def test_the_kinds_of_failure_are_told_apart(server: Server) -> None:
    server.fault(f"POST {PATH}", [Fault(status=422, times=FOR_EVER)])
    with pytest.raises(SourceError, match="answered 422") as caught:
        deliver(parcel(server.url + PATH), clock=FastClock())
    assert not isinstance(caught.value, UnreachableError | AddressError)
    with pytest.raises(UnreachableError):
        deliver(parcel("http://127.0.0.1:1/x"), clock=FastClock())
