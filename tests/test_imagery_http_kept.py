"""What the client keeps, for whom and how long; and that no secret leaves it by any way."""

from __future__ import annotations

import logging
import os
import socket
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from imagery.cache import Cache
from imagery.errors import BadAnswerError, ImageryError, OfflineError
from imagery.exchange import Hosts, Request, Response, Signed
from imagery.http import Client, Patience
from tests.clocks import FastClock
from tests.servers import Fault, Server, start
from tests.servers.faults import FOR_EVER

HOUR = timedelta(hours=1)
SECRET = "cAnary7f3a9c"


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with start("blank") as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.put("/a", b'{"is": "true"}', "application/json")
    running.reset()
    return running


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", most_bytes=10**7)


def ask(server: Server, **fields: Any) -> Request:
    """Return a request that may be kept for an hour."""
    request = Request(url=server.url + "/a", hosts=Hosts(suffixes=(), configured=(server.url,)), keep=HOUR)
    return replace(request, **fields)


def test_a_kept_answer_needs_no_request(server: Server, cache: Cache) -> None:
    with Client(cache=cache) as first:
        sent = first.send(ask(server))
    with Client(cache=cache) as second:
        kept = second.send(ask(server))
        assert second.json(ask(server)) == {"is": "true"}
    assert (kept.content, kept.received, kept.url) == (sent.content, sent.received, sent.url)
    assert (sent.from_cache, kept.from_cache) == (False, True)
    assert (second.traffic.requests, second.traffic.from_cache) == (0, 2)
    assert len(server.log()) == 1


def test_another_question_is_another_answer(server: Server, cache: Cache) -> None:
    with Client(cache=cache, clock=FastClock()) as client:
        for fields in ({}, {"span": (0, 4)}, {"span": (0, 5)}, {"method": "POST", "body": {"a": 1}}):
            client.send(ask(server, **fields))
            client.send(ask(server, **fields))
    assert len(server.log()) == 4


def test_an_old_answer_is_asked_for_again(server: Server, cache: Cache) -> None:
    clock = FastClock()
    with Client(cache=cache, clock=clock, patience=Patience(run_s=1e9)) as client:
        client.send(ask(server))
        clock.sleep(3500)
        assert client.send(ask(server)).from_cache
        clock.sleep(200)
        assert not client.send(ask(server)).from_cache
        assert client.send(ask(server)).from_cache
        assert not client.send(ask(server, keep=timedelta(0))).from_cache


def test_an_answer_from_the_future_is_asked_for_again(server: Server, cache: Cache) -> None:
    with Client(cache=cache, clock=FastClock(wrong_by=timedelta(days=1))) as client:
        client.send(ask(server))
    with Client(cache=cache) as client:
        assert not client.send(ask(server)).from_cache
        assert client.send(ask(server)).from_cache


def test_without_a_network_kept_answers_serve_for_ever(server: Server, cache: Cache) -> None:
    with Client(cache=cache, clock=FastClock(wrong_by=timedelta(days=-400))) as client:
        client.send(ask(server))
    server.reset()
    with Client(cache=cache, offline=True) as client:
        assert client.send(ask(server)).content == b'{"is": "true"}'
        with pytest.raises(OfflineError, match=r"/a is not in the cache, and nothing may be sent"):
            client.send(ask(server, span=(0, 3)))
        with pytest.raises(OfflineError):
            client.send(ask(server, keep=None))
    with Client(offline=True) as client, pytest.raises(OfflineError):
        client.send(ask(server))
    assert server.log() == []


@pytest.mark.parametrize(
    "fault",
    [Fault(status=500, body=b"sorry"), Fault(status=404), Fault(cut_after=3), Fault(status=200, body=b"<html>"),
     Fault(status=403, body=b"no"), Fault(reset=True)],
)  # fmt: skip
def test_row_12_failures_are_never_kept(server: Server, cache: Cache, fault: Fault) -> None:
    server.fault("/a", [replace(fault, times=FOR_EVER)])
    with Client(cache=cache, clock=FastClock()) as client, pytest.raises(ImageryError):
        client.json(ask(server))
    assert cache.info().entries == 0
    server.reset()
    with Client(cache=cache) as client:
        assert client.json(ask(server)) == {"is": "true"}


def test_what_may_not_be_kept_is_not(server: Server, cache: Cache) -> None:
    with Client(cache=cache) as client:
        client.send(ask(server, keep=None))
    assert cache.info().entries == 0


def test_a_kept_answer_that_fails_its_check_is_asked_for_again(server: Server, cache: Cache) -> None:
    def check(response: Response) -> None:
        if response.content != b"new":
            raise BadAnswerError("is not the new one")

    with Client(cache=cache) as client:
        client.send(ask(server))
        server.put("/a", b"new")
        assert client.send(ask(server, check=check)).content == b"new"
        assert "not used: is not the new one" in client.notes[0]
        assert client.send(ask(server, check=check)).from_cache


def test_row_32_a_damaged_entry_is_asked_for_again_and_said(server: Server, cache: Cache) -> None:
    with Client(cache=cache) as client:
        client.send(ask(server))
    (data,) = cache.root.rglob("*.data")
    data.write_bytes(data.read_bytes()[:-1])
    with Client(cache=cache) as client:
        assert client.json(ask(server)) == {"is": "true"}
        assert server.url in client.notes[0]
    assert len(server.log()) == 2


def test_the_same_question_of_many_threads_is_asked_once(server: Server, cache: Cache) -> None:
    server.fault("/a", [Fault(delay_s=0.2)])
    with Client(cache=cache) as client, ThreadPoolExecutor(8) as pool:
        contents = list(pool.map(lambda _: client.send(ask(server)).content, range(8)))
    assert contents == [b'{"is": "true"}'] * 8
    assert len(server.log()) == 1


def shown(error: BaseException) -> Iterator[str]:
    """Yield all that an exception and what led to it may show."""
    yield "".join(traceback.format_exception(error))
    seen: BaseException | None = error
    while seen:
        yield repr(seen) + str(vars(seen))
        seen = seen.__cause__ or seen.__context__


TROUBLES = [
    Fault(status=403, body=f"Signature did not match: sig={SECRET}".encode()),
    Fault(status=401, body=f'{{"error": "no", "message": "token={SECRET}"}}'.encode()),
    Fault(status=400, body=f"Authorization: Bearer {SECRET}".encode()),
    Fault(status=302, headers={"Location": f"https://evil.test/a?sig={SECRET}"}),
    Fault(status=302, headers={"Location": f"http://[x?sig={SECRET}"}),
    Fault(status=429, headers={"Retry-After": "1"}),
    Fault(status=200, body=f'{{"access_token": "{SECRET}"'.encode()),
    Fault(reset=True),
    Fault(cut_after=2),
    Fault(alter=True, headers={"Content-Length": "1, 2"}),
    Fault(alter=True, headers={"X": "1\r\nno header", "Content-Length": "1"}),
    Fault(status=200, body=b"{}", headers={"Content-Encoding": "gzip", "Set-Cookie": f"session={SECRET}"}),
]


def sign(url: str, renew: bool) -> Signed:
    """Sign with the secret everywhere."""
    return Signed(url=f"{url}?sig={SECRET}&renew={renew}", headers={"Authorization": f"Bearer {SECRET}"})


@pytest.mark.parametrize("trouble", TROUBLES)
def test_no_secret_leaves_with_an_error_or_a_log(
    server: Server, cache: Cache, caplog: pytest.LogCaptureFixture, trouble: Fault
) -> None:
    server.fault("/a*", [replace(trouble, times=FOR_EVER)])
    request = ask(server, sign=sign)
    with (
        caplog.at_level(logging.DEBUG),
        Client(cache=cache, clock=FastClock()) as client,
        pytest.raises(ImageryError) as caught,
    ):
        client.json(request)
    assert any(SECRET in one.path for one in server.log())
    assert SECRET not in "".join(shown(caught.value)) + caplog.text + str(client.notes) + repr(request)


def test_no_secret_leaves_where_nobody_answers(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        origin = f"http://127.0.0.1:{door.getsockname()[1]}"
    with caplog.at_level(logging.DEBUG), Client(clock=FastClock()) as client, pytest.raises(ImageryError) as caught:
        client.send(Request(url=origin + "/a", hosts=Hosts(suffixes=(), configured=(origin,)), sign=sign))
    assert SECRET not in "".join(shown(caught.value)) + caplog.text


def test_no_secret_is_kept(server: Server, cache: Cache) -> None:
    headers = {"Set-Cookie": f"session={SECRET}", "Content-Location": f"/a?sig={SECRET}", "X-Other": f"token={SECRET}"}
    server.put("/a", b"{}", headers=headers)
    with Client(cache=cache) as client:
        response = client.send(ask(server, sign=sign))
    assert SECRET not in repr(response)
    files = [path for path in cache.root.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if SECRET.encode() in path.read_bytes() + os.fsencode(path)]


def test_threads_that_wait_for_one_signature_do_not_wait_for_ever(server: Server) -> None:
    """Signing may ask the same host through the same client, while all its places are taken."""
    server.put("/token", b"t")
    lock = threading.Lock()
    with Client(clock=FastClock()) as client:

        def sign_here(url: str, _: bool) -> Signed:
            with lock:
                client.send(ask(server, url=server.url + "/token", keep=None))
            return Signed(url=url)

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: client.send(ask(server, keep=None, sign=sign_here)), range(16)))
    assert [one.content for one in answers] == [b'{"is": "true"}'] * 16
