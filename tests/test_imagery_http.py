"""The client against a server that answers rightly, and against one that breaks: what comes back, what was sent."""

from __future__ import annotations

import gzip
import json
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from imagery.errors import (
    BadAnswerError,
    ChangedError,
    CredentialsError,
    GoneError,
    NoRangeError,
    RateLimitedError,
    SourceError,
)
from imagery.exchange import Hosts, Request, Response, Signed, Traffic
from imagery.http import Client, Patience
from tests.clocks import FastClock
from tests.servers import Fault, Server, start
from tests.servers.faults import FOR_EVER

CONTENT = bytes(range(256)) * 400
PATH = "/object.tif"


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with start("blank") as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.put(PATH, CONTENT, "image/tiff")
    running.reset()
    return running


@pytest.fixture
def clock() -> FastClock:
    return FastClock()


@pytest.fixture
def client(clock: FastClock) -> Iterator[Client]:
    with Client(clock=clock) as made:
        yield made


def ask(server: Server, path: str = PATH, **fields: Any) -> Request:
    """Return a request to the server."""
    return Request(url=server.url + path, hosts=Hosts(suffixes=(), configured=(server.url,)), **fields)


def statuses(server: Server) -> list[int]:
    """Return what the server answered, in turn; 0 is a broken connection."""
    return [one.status for one in server.log()]


def test_an_answer_is_what_another_client_gets(server: Server, client: Client) -> None:
    response = client.send(ask(server))
    with urllib.request.urlopen(server.url + PATH) as other:
        assert response.content == other.read() == CONTENT
        assert response.headers["etag"] == other.headers["ETag"]
    assert (response.status, response.url, response.from_cache) == (200, server.url + PATH, False)
    assert client.traffic == Traffic(requests=1, received_bytes=len(CONTENT))


def test_a_post_sends_json_with_sorted_keys(server: Server, client: Client) -> None:
    server.put("/search", b'{"type": "FeatureCollection"}', "application/json")
    assert client.json(ask(server, "/search", method="POST", body={"b": 1, "a": [2]})) == {"type": "FeatureCollection"}
    (logged,) = server.log()
    assert (logged.method, logged.body) == ("POST", b'{"a": [2], "b": 1}')
    assert logged.headers["content-type"] == "application/json"


def test_a_head_request_has_no_body(server: Server, client: Client) -> None:
    response = client.send(ask(server, method="HEAD"))
    assert (response.status, response.content) == (200, b"")


@pytest.mark.parametrize("span", [(0, 10), (100, 1), (len(CONTENT) - 5, 5), (len(CONTENT) - 5, 100), (0, 10**6)])
def test_a_range_is_that_part_of_the_object(server: Server, client: Client, span: tuple[int, int]) -> None:
    response = client.send(ask(server, span=span))
    assert response.status == 206
    assert response.content == CONTENT[span[0] : sum(span)]


def test_without_ranges_the_body_is_not_read(server: Server, client: Client) -> None:
    server.put("/whole.jp2", bytes(30_000_000), ranges=False)
    with pytest.raises(NoRangeError, match="whole file"):
        client.send(ask(server, "/whole.jp2", span=(0, 10)))
    assert client.traffic.received_bytes == 0
    assert statuses(server) == [200]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Range": f"bytes 1-11/{len(CONTENT)}"},
        {"Content-Range": f"bytes 0-8/{len(CONTENT)}"},
        {"Content-Range": f"bytes 0-10/{len(CONTENT)}"},
        {"Content-Range": "bytes 0-9/5"},
        {"Content-Range": "bytes */100"},
        {"Content-Range": ""},
        {"Content-Length": "9"},
    ],
)
def test_a_part_that_is_not_the_one_asked_for_is_asked_for_again(
    server: Server, client: Client, headers: dict[str, str]
) -> None:
    server.fault(PATH, [Fault(alter=True, headers=headers)])
    assert client.send(ask(server, span=(0, 10))).content == CONTENT[:10]
    assert client.traffic.retries == 1


def test_an_object_that_changed_is_noticed_before_its_body(server: Server, client: Client) -> None:
    tag = client.send(ask(server, span=(0, 10))).headers["etag"]
    assert client.send(ask(server, span=(10, 10), version=tag)).content == CONTENT[10:20]
    server.put(PATH, CONTENT[::-1])
    with pytest.raises(ChangedError, match="no longer the one"):
        client.send(ask(server, span=(20, 10), version=tag))
    assert client.traffic.received_bytes == 20
    assert "no longer the one" in client.notes[0]


def test_weak_tags_are_compared_as_they_are(server: Server, client: Client) -> None:
    server.put("/weak", CONTENT, headers={"ETag": 'W/"1"'})
    assert client.send(ask(server, "/weak", span=(0, 5), version='W/"1"')).content == CONTENT[:5]
    with pytest.raises(ChangedError):
        client.send(ask(server, "/weak", span=(0, 5), version='"1"'))


def test_json_may_come_packed(server: Server, client: Client) -> None:
    text = json.dumps({"features": [0] * 1000}).encode()
    packed = gzip.compress(text)
    server.put("/packed", packed, "application/json", headers={"Content-Encoding": "gzip"})
    assert client.json(ask(server, "/packed")) == json.loads(text)
    assert client.traffic.received_bytes == len(packed) < len(text)
    assert server.log()[0].headers["accept-encoding"] == "gzip"
    assert "content-encoding" not in client.send(ask(server, "/packed")).headers


@pytest.mark.parametrize("encoding", ["br", "gzip"])
def test_what_cannot_be_unpacked_is_a_bad_answer(server: Server, client: Client, encoding: str) -> None:
    server.put("/packed", gzip.compress(b"[1]")[:-9], headers={"Content-Encoding": encoding})
    with pytest.raises(BadAnswerError, match="5 attempts"):
        client.json(ask(server, "/packed"))


def test_answers_over_their_cap_are_refused(server: Server, client: Client) -> None:
    server.put("/bomb", gzip.compress(bytes(50_000_000)), headers={"Content-Encoding": "gzip"})
    with pytest.raises(BadAnswerError, match="more than the 100,000 bytes"):
        client.send(ask(server, "/bomb", most_bytes=100_000))
    server.fault(PATH, [Fault(chunked=True), Fault(cut_after=5)])
    for _ in range(2):
        with pytest.raises(BadAnswerError, match="more than the 100 bytes"):
            client.send(ask(server, most_bytes=100))
    assert len(server.log()) == 3
    assert client.send(ask(server, most_bytes=len(CONTENT))).content == CONTENT


@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b"", b"{", b'{"a": NaN}', b"[" * 10**5, b"\xff\xfe"])
def test_what_is_no_json_is_asked_for_again(server: Server, client: Client, body: bytes) -> None:
    server.put("/page", b'{"a": 1}', "application/json")
    server.fault("/page", [Fault(status=200, body=body)])
    assert client.json(ask(server, "/page")) == {"a": 1}
    server.fault("/page", [Fault(status=200, body=body, times=FOR_EVER)])
    with pytest.raises(BadAnswerError, match=r"did not answer in JSON .* \(5 attempts"):
        client.json(ask(server, "/page"))


def test_an_answer_that_fails_its_check_is_asked_for_again(server: Server, client: Client) -> None:
    def check(response: Response) -> None:
        if response.content != CONTENT:
            raise BadAnswerError("is not the picture that was asked for")

    server.fault(PATH, [Fault(status=200, body=b"II*\0"), Fault(status=200, body=b"")])
    assert client.send(ask(server, check=check)).content == CONTENT
    assert client.traffic.retries == 2


def test_row_6_sentinel_hub_counts_in_milliseconds(server: Server, client: Client, clock: FastClock) -> None:
    server.put("/process", b"tiff", headers={"X-ProcessingUnits-Spent": "0.02"})
    server.fault("/process", [Fault(status=429, headers={"Retry-After": "3398"})])
    client.send(ask(server, "/process", method="POST", body={}, retry_after_ms=True))
    assert clock.slept == [3.398]
    assert client.traffic.processing_units == 0.02
    assert statuses(server) == [429, 200]


@pytest.mark.parametrize("milliseconds", [False, True])
@pytest.mark.parametrize("asked", ["0.5", "", "-7", "1000000000", "0", "soon", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_row_7_no_retry_after_breaks_or_hurries_us(
    server: Server, client: Client, clock: FastClock, asked: str, *, milliseconds: bool
) -> None:
    # The longest wait takes all the time there is: one of them, and no more.
    times = 1 if asked == "1000000000" else 3
    server.fault(PATH, [Fault(status=429, headers={"Retry-After": asked}, times=times)])
    assert client.send(ask(server, retry_after_ms=milliseconds)).content == CONTENT
    assert len(clock.slept) == times
    assert all(0.25 <= wait <= 120 for wait in clock.slept)


@pytest.mark.parametrize("fast_by_s", [-86400, 86400])
def test_row_7_row_33_a_date_is_held_against_the_clock_of_the_server(
    server: Server, client: Client, clock: FastClock, fast_by_s: int
) -> None:
    server.set(clock_s=fast_by_s)
    until = datetime.now(UTC) + timedelta(seconds=fast_by_s + 30)
    server.fault(PATH, [Fault(status=429, alter=True, headers={"Retry-After": format_datetime(until, usegmt=True)})])
    client.send(ask(server))
    assert 25 <= sum(clock.slept) <= 31


@pytest.mark.parametrize("asked", [{}, {"Retry-After": "0"}, {"Retry-After": "2"}, {"Retry-After": "1000000000"}])
def test_row_8_being_told_to_wait_for_ever_ends_at_the_deadline(
    server: Server, client: Client, clock: FastClock, asked: dict[str, str]
) -> None:
    server.fault(PATH, [Fault(status=429, headers=asked, body=b'{"code": "RATE_LIMIT"}', times=FOR_EVER)])
    with pytest.raises(RateLimitedError, match=r"127\.0\.0\.1.*429 \(RATE_LIMIT\).*attempts in 1[12]\d s.*later"):
        client.send(ask(server))
    assert 110 <= sum(clock.slept) <= 120
    assert 2 <= len(server.log()) <= 64


def test_a_request_that_never_fits_its_limit_is_not_repeated(server: Server, client: Client) -> None:
    body = b'{"error": {"status": 429, "code": "RATE_LIMIT_TOKEN_COUNT_EXCEEDS_CAPACITY"}}'
    server.fault(PATH, [Fault(status=429, body=body, times=FOR_EVER)])
    with pytest.raises(RateLimitedError, match="ask for less"):
        client.send(ask(server))
    assert statuses(server) == [429]


def test_row_10_errors_of_the_server_pass(server: Server, client: Client) -> None:
    server.fault(PATH, [Fault(status=status) for status in (500, 502, 503, 408)])
    assert client.send(ask(server)).content == CONTENT
    assert client.traffic == Traffic(requests=5, retries=4, received_bytes=len(CONTENT))


def test_row_10_or_end_after_so_many_attempts(server: Server, client: Client, clock: FastClock) -> None:
    server.fault(PATH, [Fault(status=503, body=b"<Error><Code>ServerBusy</Code></Error>", times=FOR_EVER)])
    with pytest.raises(BadAnswerError, match=r"503 \(ServerBusy\) \(5 attempts.*another source"):
        client.send(ask(server))
    assert len(server.log()) == 5
    assert sum(clock.slept) <= 1 + 2 + 4 + 8


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("span", [None, (1000, 50_000)])
def test_row_12_what_is_cut_short_is_asked_for_again(
    server: Server, client: Client, span: tuple[int, int] | None, *, chunked: bool
) -> None:
    server.fault(PATH, [Fault(cut_after=cut, chunked=chunked) for cut in (1, 40_000, 49_999)])
    expected = CONTENT if span is None else CONTENT[1000:51_000]
    assert client.send(ask(server, span=span)).content == expected
    assert client.traffic.retries == 3


def test_row_11_row_12_a_broken_connection_is_made_again(server: Server, client: Client) -> None:
    server.fault(PATH, [Fault(reset=True), Fault(reset=True, cut_after=70_000), Fault(reset=True)])
    assert client.send(ask(server)).content == CONTENT
    server.fault(PATH, [Fault(reset=True, times=FOR_EVER)])
    with pytest.raises(BadAnswerError, match=r"broke off before its answer was complete .*\(5 attempts"):
        client.send(ask(server))


def test_row_29_a_trickle_is_given_up(server: Server, clock: FastClock) -> None:
    server.fault(PATH, [Fault(trickle_bytes_s=10, times=FOR_EVER)])
    with (
        Client(clock=clock, patience=Patience(attempts=2, slow_over_s=0.5)) as client,
        pytest.raises(BadAnswerError, match=r"too slowly \(\d+ bytes/s over \d+ s\) \(2 attempts"),
    ):
        client.send(ask(server))


def test_row_29_a_silent_server_is_given_up(server: Server, clock: FastClock) -> None:
    server.fault(PATH, [Fault(delay_s=4), Fault(trickle_bytes_s=0.2)])
    with Client(clock=clock, patience=Patience(read_s=1.0)) as client:
        assert client.send(ask(server)).content == CONTENT
    assert client.traffic.retries == 2


def test_a_steady_body_may_pass_the_time_for_its_request_but_not_for_the_run(server: Server) -> None:
    with Client(patience=Patience(request_s=0.3)) as client:
        server.fault(PATH, [Fault(trickle_bytes_s=200_000)])
        assert client.send(ask(server)).content == CONTENT
    with Client(patience=Patience(run_s=1.0)) as client:
        server.fault(PATH, [Fault(trickle_bytes_s=20_000)])
        with pytest.raises(BadAnswerError, match="time for this run was over"):
            client.send(ask(server))
        with pytest.raises(SourceError, match=r"the 1 s for one run are over.*run the same again"):
            client.send(ask(server))


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (404, b"", GoneError, "404: the object is not there"),
        (410, b"gone", GoneError, r"410 \(gone\)"),
        (403, b'{"error":{"status":403,"message":"Not enough PU","code":"COMMON_INSUFFICIENT_PERMISSIONS"}}',
         SourceError, r"403 \(COMMON_INSUFFICIENT_PERMISSIONS: Not enough PU\)"),
        (401, b'{"code":401,"description":"You are not authorized! Please"}', CredentialsError,
         r"401 \(You are not authorized! Please\): it asks for an account"),
        (400, b'{"error":{"reason":"Bad Request","message":"CUSTOM has no band SMA","code":"RENDERER_EXCEPTION"}}',
         SourceError, r"RENDERER_EXCEPTION: CUSTOM has no band SMA"),
        (409, b"<?xml version='1.0'?><Error><Code>PublicAccess</Code><Message>Not\nallowed</Message></Error>",
         SourceError, "PublicAccess: Not allowed"),
        (416, b"<html><head><title>Range</title></head></html>", SourceError, r"416 \(Range\)"),
        (304, b"", SourceError, "304"),
        (400, b"plain \x00 text\nsig=cAnary", SourceError, r"plain text sig=\*\*\*"),
    ],
)  # fmt: skip
def test_final_answers_are_said_at_once_in_the_words_of_the_server(
    server: Server, client: Client, status: int, body: bytes, *, error: type[Exception], words: str
) -> None:
    server.fault(PATH, [Fault(status=status, body=body, times=FOR_EVER)])
    with pytest.raises(error, match=words) as caught:
        client.send(ask(server))
    assert type(caught.value) is error
    assert str(caught.value).startswith("http://127.0.0.1:")
    assert len(server.log()) == 1


class Signer:
    """Signs with a number in the address or in a header, and counts."""

    def __init__(self, *, header: bool = False) -> None:
        self.calls: list[bool] = []
        self._header = header

    def __call__(self, url: str, renew: bool) -> Signed:
        self.calls.append(renew)
        number = sum(self.calls)
        return (
            Signed(url=url, headers={"Authorization": f"n{number}"})
            if self._header
            else Signed(url=f"{url}?sig=n{number}")
        )


def test_a_refused_signature_is_renewed_once(server: Server, client: Client) -> None:
    server.fault("*sig=n0", [Fault(status=403, times=FOR_EVER)])
    server.fault("*sig=n1", [Fault(status=503)])
    signer = Signer()
    response = client.send(ask(server, sign=signer))
    assert (response.content, response.url) == (CONTENT, server.url + PATH)
    assert signer.calls == [False, True, False]


@pytest.mark.parametrize(
    ("status", "header", "error", "asked"),
    [
        (403, False, SourceError, [False, True]),
        (401, False, CredentialsError, [False, True]),
        (401, True, CredentialsError, [False, True]),
        (403, True, SourceError, [False]),
    ],
)
def test_a_signature_that_stays_refused_is_an_error(
    server: Server, client: Client, status: int, error: type[Exception], asked: list[bool], *, header: bool
) -> None:
    server.fault("*", [Fault(status=status, body=b"no", times=FOR_EVER)])
    signer = Signer(header=header)
    with pytest.raises(error, match=rf"answered {status} \(no\)"):
        client.send(ask(server, sign=signer))
    assert signer.calls == asked
    assert len([one for one in server.log() if one.status == status]) == len(asked)


def test_passwords_of_a_netrc_file_are_not_sent(
    server: Server, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password cAnary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    client.send(ask(server))
    assert "authorization" not in server.log()[0].headers


def test_traffic_is_shown_as_it_grows(server: Server) -> None:
    seen: list[Traffic] = []
    server.fault(PATH, [Fault(cut_after=1000)])
    with Client(clock=FastClock(), watch=seen.append) as client:
        client.send(ask(server))
    assert seen[-1] == client.traffic == Traffic(requests=2, retries=1, received_bytes=1000 + len(CONTENT))
    assert [one.received_bytes for one in seen] == sorted(one.received_bytes for one in seen)
    assert len(seen) >= 6
