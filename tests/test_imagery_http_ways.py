"""The way to a server: names, machines, redirects, TLS, proxies, and how many go at once."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from imagery.errors import AddressError, BadAnswerError, SourceError, UnreachableError
from imagery.exchange import Hosts, Request, Signed
from imagery.http import Client, Patience
from imagery.http.connection import FailedError, connect
from imagery.http.pacing import RECOVER_AFTER, Pacer
from imagery.http.transport import authorities
from tests.clocks import FastClock
from tests.servers import Fault, Server, start
from tests.servers.faults import FOR_EVER

PUBLIC = Hosts(suffixes=("imagery.example.org",))
CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with start("blank") as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.put("/a", b"content")
    running.reset()
    return running


@pytest.fixture(scope="module")
def secure() -> Iterator[Server]:
    with start("blank", tls=True) as server:
        server.put("/a", b"content")
        yield server


@pytest.fixture
def clock() -> FastClock:
    return FastClock()


@pytest.fixture
def client(clock: FastClock) -> Iterator[Client]:
    with Client(clock=clock) as made:
        yield made


def local(server: Server, path: str = "/a", **fields: Any) -> Request:
    """Return a request to a server of this test."""
    return Request(url=server.url + path, hosts=Hosts(suffixes=(), configured=(server.url,)), **fields)


Names = Callable[..., None]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Return a function that sets what names lead to; without it, and for others, there is no such name."""
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(variable)
    known: dict[str, list[str]] = {}
    true = socket.getaddrinfo

    def resolve(host: str, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host in known:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in known[host]]
        if host[0].isdigit():
            return true(host, port, *args, **kwargs)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return lambda **found: known.update({name.replace("_", "."): ips for name, ips in found.items()})


@pytest.mark.parametrize(
    "ips",
    [["127.0.0.1"], ["169.254.169.254"], ["10.0.0.7"], ["100.64.0.1"], ["8.8.8.8", "192.168.1.1"], ["::1"],
     ["::ffff:10.0.0.7"], ["fe80::1"], ["64:ff9b::a9fe:a9fe"]],
)  # fmt: skip
def test_row_30_a_public_name_of_a_closed_machine_is_refused(client: Client, names: Names, ips: list[str]) -> None:
    names(imagery_example_org=ips)
    with pytest.raises(AddressError, match=r"imagery\.example\.org: its name leads to .*not on the public Internet"):
        client.send(Request(url="https://imagery.example.org/a", hosts=PUBLIC))
    assert client.traffic.retries == 0


def test_the_name_is_looked_up_once_for_the_check_and_the_connection(
    server: Server, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads to a good machine when looked at and to a closed one a moment later (rebinding)."""
    names(rebound_example_org=["127.0.0.1"])
    inner, asked = socket.getaddrinfo, []

    def resolve(host: str, *args: Any, **kwargs: Any) -> Any:
        asked.append(host)
        if asked.count("rebound.example.org") > 1:
            names(rebound_example_org=["169.254.169.254"])
        return inner(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    port = int(server.url.rsplit(":", maxsplit=1)[1])
    with connect("rebound.example.org", port, reach="loopback", timeout_s=5) as made:
        assert made.getpeername() == ("127.0.0.1", port)
    assert asked == ["rebound.example.org", "127.0.0.1"]


def test_all_addresses_of_a_machine_are_tried(server: Server, names: Names) -> None:
    names(two_example_org=["127.0.0.2", "127.0.0.1"])
    port = int(server.url.rsplit(":", maxsplit=1)[1])
    with connect("two.example.org", port, reach="loopback", timeout_s=5) as made:
        assert made.getpeername()[0] == "127.0.0.1"


def test_row_11_an_unknown_name_is_said_after_three_attempts(client: Client, names: Names, clock: FastClock) -> None:
    names()
    request = Request(url="https://imagery.example.org/a", hosts=PUBLIC)
    with pytest.raises(UnreachableError, match=r"cannot be looked up \(Name or service not known\) \(3 attempts"):
        client.send(request)
    assert client.traffic.requests == 3
    assert sum(clock.slept) <= 3
    with pytest.raises(UnreachableError, match="not tried again so soon"):
        client.send(request)
    assert client.traffic.requests == 3
    clock.sleep(60)
    with pytest.raises(UnreachableError, match="3 attempts"):
        client.send(request)


def test_row_11_a_resolver_without_a_network_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def resolve(*_: Any, **__: Any) -> Any:
        released.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(FailedError, match=r"no name server answered within 0\.2 s"):
        connect("imagery.example.org", 443, reach="public", timeout_s=0.2)
    released.set()


def closed_port() -> int:
    """Return a port of this machine where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        return int(made.getsockname()[1])


def test_row_11_where_nobody_listens_is_said_after_three_attempts(client: Client) -> None:
    origin = f"http://127.0.0.1:{closed_port()}"
    with pytest.raises(UnreachableError, match=r"connection refused\) \(3 attempts in \d+ s\)\. Check the network"):
        client.send(Request(url=f"{origin}/a", hosts=Hosts(suffixes=(), configured=(origin,))))


def test_row_11_a_certificate_that_nobody_vouches_for_ends_it(secure: Server, client: Client) -> None:
    secure.reset()
    with pytest.raises(UnreachableError, match=r"does not prove who it is \(.*certificate.*\).*REQUESTS_CA_BUNDLE"):
        client.send(local(secure))
    assert secure.log() == []
    assert (client.traffic.requests, client.traffic.retries) == (1, 0)


def test_row_11_a_certificate_of_another_name_ends_it(secure: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secure.ca_file))
    with Client() as client, socket.create_server(("127.0.0.2", 0)) as door:
        origin = f"https://127.0.0.2:{door.getsockname()[1]}"
        threading.Thread(target=forward, args=(door, secure), daemon=True).start()
        with pytest.raises(UnreachableError, match="does not prove who it is"):
            client.send(Request(url=f"{origin}/a", hosts=Hosts(suffixes=(), configured=(origin,))))
    assert client.traffic.requests == 1


def forward(door: socket.socket, server: Server) -> None:
    """Pass one connection on to a server, both ways, for as long as it lasts."""
    came, _ = door.accept()
    host, _, port = server.url.removeprefix("https://").partition(":")
    with came, socket.create_connection((host, int(port))) as on:
        for one, other in ((came, on), (on, came), (came, on)):
            other.sendall(one.recv(65536))


@pytest.mark.parametrize("variable", CERTIFICATES[:3])
def test_own_certificates_come_from_the_environment(
    secure: Server, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for other in CERTIFICATES:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(variable, str(secure.ca_file))
    with Client() as client:
        assert client.send(local(secure)).content == b"content"


def test_a_bundle_that_is_not_there_is_named(
    secure: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, client: Client
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with pytest.raises(UnreachableError, match=r"missing\.pem"):
        client.send(local(secure))


def test_certificates_are_never_left_unchecked() -> None:
    assert authorities({"REQUESTS_CA_BUNDLE": "", "SSL_CERT_FILE": "/a.pem"}) == "/a.pem"
    assert authorities({"CURL_CA_BUNDLE": "/c", "REQUESTS_CA_BUNDLE": "/r"}) == "/r"
    assert authorities({}) is not False


def test_redirects_are_followed_as_they_are_meant(server: Server, client: Client) -> None:
    server.fault("/old", [Fault(status=302, headers={"Location": "/older?b=1#part"})])
    server.fault("/older*", [Fault(status=307, headers={"Location": server.url + "/a"})])
    response = client.send(local(server, "/old", span=(0, 3)))
    assert (response.content, response.url) == (b"con", server.url + "/old")
    assert [one.path for one in server.log()] == ["/old", "/older?b=1", "/a"]
    assert client.traffic.requests == 3


def test_redirects_come_to_an_end(server: Server, client: Client) -> None:
    server.fault("/a", [Fault(status=301, headers={"Location": "/a"}, times=FOR_EVER)])
    with pytest.raises(SourceError, match="redirects more than 3 times"):
        client.send(local(server))
    assert len(server.log()) == 4


@pytest.mark.parametrize(
    "target",
    ["//[", "https://169.254.169.254/latest", "http://10.0.0.7/", "https://evil.test/", "file:///etc/passwd", "http://[",
     "https://imagery.example.org@evil.test/", "http://imagery.example.org/a", "gopher://127.0.0.1/", "http://0/"],
)  # fmt: skip
def test_row_30_redirects_lead_nowhere_else(server: Server, client: Client, target: str) -> None:
    server.fault("/a", [Fault(status=302, headers={"Location": target})])
    hosts = Hosts(suffixes=("imagery.example.org",), configured=(server.url,))
    with pytest.raises(AddressError, match=r"not asked|not followed"):
        client.send(Request(url=server.url + "/a", hosts=hosts))
    assert client.traffic.requests == 1


def test_a_question_is_not_turned_into_another_by_a_redirect(server: Server, client: Client) -> None:
    server.fault("/a", [Fault(status=302, headers={"Location": "/b"})])
    with pytest.raises(AddressError, match="drop what was asked"):
        client.send(local(server, method="POST", body={}))
    server.fault("/a", [Fault(status=308, headers={"Location": "/b"})])
    server.put("/b", b"there")
    assert client.send(local(server, method="POST", body={"q": 1})).content == b"there"
    assert server.log()[-1].body == b'{"q": 1}'


def test_a_redirect_to_another_host_takes_no_token_along(server: Server, client: Client) -> None:
    with start("blank") as other:
        other.put("/b", b"there")
        server.fault(
            "/a",
            [Fault(status=302, headers={"Location": other.url + "/b"}), Fault(status=302, headers={"Location": "/b"})],
        )
        server.put("/b", b"here")
        token = Signed(url=server.url + "/a", headers={"Authorization": "Bearer x"})
        for expected in (b"there", b"here"):
            assert client.send(local(server, sign=lambda *_: token)).content == expected
        assert "authorization" not in other.log()[0].headers
    assert [one.headers.get("authorization") for one in server.log()] == ["Bearer x"] * 3


def test_a_signature_does_not_lead_elsewhere(server: Server, client: Client) -> None:
    with pytest.raises(AddressError):
        client.send(local(server, sign=lambda *_: Signed(url="https://evil.test/a")))
    assert client.traffic.requests == 0


class TunnelProxy(threading.Thread):
    """A proxy that every tunnel ends in: it answers itself, with a certificate for the name that was asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("imagery.example.org").configure_cert(self.context)
        self.door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://me:cAnary@127.0.0.1:{self.door.getsockname()[1]}"
        self.heard: list[bytes] = []
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

    def run(self) -> None:
        """Serve one connection."""
        came, _ = self.door.accept()
        with came:
            self.heard.append(came.recv(65536))
            came.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            with self.context.wrap_socket(came, server_side=True) as inner:
                self.heard.append(inner.recv(65536))
                inner.sendall(self.answer)


@pytest.fixture
def proxy(tmp_path: Path, names: Names, monkeypatch: pytest.MonkeyPatch) -> Iterator[TunnelProxy]:
    """Return a proxy that the environment names, and that alone knows the way."""
    names()
    made = TunnelProxy(tmp_path)
    monkeypatch.setenv("HTTPS_PROXY", made.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(made.ca_file))
    made.start()
    yield made
    made.door.close()
    made.join(5)


def test_a_proxy_of_the_environment_is_used_and_looks_up_the_names(proxy: TunnelProxy, client: Client) -> None:
    response = client.send(Request(url="https://imagery.example.org/a", hosts=PUBLIC))
    assert response.content == b"hello"
    assert proxy.heard[0].startswith(b"CONNECT imagery.example.org:443 ")
    assert b"proxy-authorization: basic" in proxy.heard[0].lower()
    assert proxy.heard[1].startswith(b"GET /a HTTP/1.1")
    assert b"proxy-authorization" not in proxy.heard[1].lower()


def test_row_30_the_public_internet_does_not_lead_to_this_machine(
    proxy: TunnelProxy, server: Server, client: Client
) -> None:
    """Not even where the user allows this machine to be asked directly."""
    proxy.answer = f"HTTP/1.1 302 Found\r\nLocation: {server.url}/a\r\nContent-Length: 0\r\n\r\n".encode()
    hosts = Hosts(suffixes=PUBLIC.suffixes, configured=(server.url,))
    with pytest.raises(AddressError, match="from the public Internet to http://127"):
        client.send(Request(url="https://imagery.example.org/a", hosts=hosts))
    assert server.log() == []


def test_a_proxy_changes_nothing_about_whom_may_be_asked(client: Client) -> None:
    """The environment of the tests names a proxy where nobody listens."""
    for url in ("https://evil.test/", "https://169.254.169.254/", "http://imagery.example.org/"):
        with pytest.raises(AddressError):
            client.send(Request(url=url, hosts=PUBLIC))
    with pytest.raises(UnreachableError, match=r"through the proxy that the environment names \(3 attempts"):
        client.send(Request(url="https://imagery.example.org/a", hosts=PUBLIC))


@contextmanager
def saying(text: bytes, *, drip: bool = False) -> Iterator[str]:
    """Answer one request with these bytes and close the connection, or go on with one byte after the other."""
    over = threading.Event()

    def serve(door: socket.socket) -> None:
        came, _ = door.accept()
        with came, suppress(OSError):
            came.recv(65536)
            came.sendall(text)
            while drip and not over.wait(0.05):
                came.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = threading.Thread(target=serve, args=(door,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
        over.set()
        thread.join(5)


def test_row_29_a_head_that_drips_is_given_up() -> None:
    with (
        saying(b"HTTP/1.1 200 OK\r\n", drip=True) as origin,
        Client(patience=Patience(read_s=0.4, attempts=1)) as client,
        pytest.raises(BadAnswerError, match="1 attempt"),
    ):
        client.send(Request(url=f"{origin}/a", hosts=Hosts(suffixes=(), configured=(origin,))))


HEAD = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Type: image/tiff\r\nContent-Length: 10\r\n\r\n0123456789"


@pytest.mark.parametrize("cut", range(len(HEAD)))
def test_row_12_an_answer_cut_anywhere_is_none(cut: int) -> None:
    with (
        saying(HEAD[:cut]) as origin,
        Client(patience=Patience(attempts=1)) as client,
        pytest.raises(BadAnswerError, match="1 attempt"),
    ):
        client.send(Request(url=f"{origin}/a", hosts=Hosts(suffixes=(), configured=(origin,))))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (HEAD, b"0123456789"),
        (b"HTTP/1.0 200 OK\r\nContent-Type: application/geo+json\r\n\r\n[1]", b"[1]"),
        (b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"abc", mtime=0), b"abc"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.0 200 OK\r\nContent-Type: application/geo+json\r\n\r\n[1", None),
        (b"HTTP/1.0 200 OK\r\nContent-Type: image/tiff\r\n\r\nII*", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", None),
        (b"SSH-2.0-OpenSSH_9.2\r\n", None),
        (b"", None),
    ],
)
def test_an_answer_counts_where_it_shows_its_end(answer: bytes, expected: bytes | None) -> None:
    with saying(answer) as origin, Client(patience=Patience(attempts=1)) as client:
        request = Request(url=f"{origin}/a", hosts=Hosts(suffixes=(), configured=(origin,)))
        if expected is None:
            with pytest.raises(BadAnswerError):
                client.send(request)
        else:
            assert client.send(request).content == expected


def test_no_more_go_at_once_than_is_polite() -> None:
    pacer, lock, now, most = Pacer(Patience(), FastClock()), threading.Lock(), [0], [0]

    def visit(_: int) -> None:
        with pacer.turn("a"):
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            time.sleep(0.005)
            with lock:
                now[0] -= 1

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(visit, range(64)))
    assert most == [4]


class StillClock(FastClock):
    """A clock that only sleeping sets forward."""

    def monotonic(self) -> float:
        """Return the seconds slept."""
        return sum(self.slept)


def test_no_more_start_in_a_second_than_is_polite() -> None:
    clock, starts = StillClock(), []
    pacer = Pacer(Patience(), clock)
    for _ in range(22):
        with pacer.turn("a"):
            starts.append(clock.monotonic())
    assert starts == pytest.approx([number // 5 for number in range(22)])


def test_row_24_a_busy_host_gets_fewer_at_once_until_it_has_recovered() -> None:
    pacer = Pacer(Patience(), FastClock())
    pacer.crowded("a", None)
    assert (pacer.parallel("a"), pacer.parallel("b")) == (2, 4)
    for _ in range(5):
        pacer.crowded("a", None)
    assert pacer.parallel("a") == 1
    for _ in range(10 * RECOVER_AFTER):
        pacer.went_well("a")
    assert pacer.parallel("a") == 4


def test_row_24_server_busy_lowers_what_is_asked_at_once(server: Server, client: Client) -> None:
    server.fault("/a", [Fault(status=503, body=b"<Error><Code>ServerBusy</Code></Error>", times=2)])
    assert client.send(local(server)).content == b"content"
    assert client._sender.pacer.parallel(server.url) == 1


def test_a_host_that_asks_for_time_is_left_alone_by_all(clock: FastClock) -> None:
    pacer = Pacer(Patience(), clock)
    pacer.crowded("a", 40.0)
    with pacer.turn("b"):
        assert sum(clock.slept) == 0
    with pacer.turn("a"):
        assert sum(clock.slept) == pytest.approx(40, abs=0.5)


def test_many_threads_get_what_they_asked_for(server: Server, client: Client) -> None:
    paths = [f"/object/{number}" for number in range(40)]
    for path in paths:
        server.put(path, path.encode() * 5000)
    server.fault(
        "/object/*", [Fault(status=503), Fault(reset=True), Fault(cut_after=3000), Fault(status=429)], share=0.2, seed=3
    )
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda path: client.send(local(server, path)).content, paths))
    assert answers == [path.encode() * 5000 for path in paths]
    assert client.traffic.requests == len(server.log()) == 40 + client.traffic.retries
    assert client.traffic.retries > 0
