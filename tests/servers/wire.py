"""HTTP as it goes over the wire: whole, partial and packed answers, entity tags, faults, the log."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import socket
import ssl
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.servers.faults import Fault, FaultList


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request as it came in."""

    method: str
    path: str
    """With the query, as sent."""
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    origin: str
    """Scheme, host and port that it came to."""

    @property
    def route(self) -> str:
        """The path alone, decoded."""
        return unquote(urlsplit(self.path).path)

    @property
    def query(self) -> dict[str, str]:
        """The query's fields."""
        return dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is sent back."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ranges: bool = False
    """Whether it is an object of which parts may be asked."""


App = Callable[[Call], Answer]

WORTH_PACKING = 1000
"""Bytes from which on an answer in JSON is packed, as catalogues do."""


def entity_tag(body: bytes) -> str:
    """Return an entity tag that changes with the content."""
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def part_of(answer: Answer, call: Call) -> Answer:
    """Return the part of an object that was asked for, after its conditions (RFC 9110, sections 13 and 14)."""
    if not answer.ranges or answer.status != 200 or call.method not in ("GET", "HEAD"):
        return answer
    tag = answer.headers.get("ETag") or entity_tag(answer.body)
    whole = replace(answer, headers={"Accept-Ranges": "bytes", "ETag": tag} | answer.headers)
    if call.headers.get("if-match", tag) not in (tag, "*"):
        return Answer(status=412, headers={"ETag": tag})
    if call.headers.get("if-none-match") in (tag, "*"):
        return Answer(status=304, headers={"ETag": tag})
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", call.headers.get("range", ""))
    if call.method == "HEAD" or not asked or asked[0] == "bytes=-" or call.headers.get("if-range", tag) != tag:
        return whole
    return _slice(whole, asked[1], asked[2])


def _slice(whole: Answer, first: str, last: str) -> Answer:
    """Return 206 with the bytes asked for, or 416."""
    size = len(whole.body)
    start = int(first) if first else max(size - int(last), 0)
    stop = min(int(last) + 1, size) if first and last else size
    if start >= stop:
        return Answer(status=416, headers={"Content-Range": f"bytes */{size}", "ETag": whole.headers["ETag"]})
    told = whole.headers | {"Content-Range": f"bytes {start}-{stop - 1}/{size}"}
    return replace(whole, status=206, headers=told, body=whole.body[start:stop])


def packed(answer: Answer, call: Call) -> Answer:
    """Return an answer in JSON packed with gzip, where it is large enough and the client takes it so."""
    told = {name.lower(): value for name, value in answer.headers.items()}
    is_json = "json" in told.get("content-type", "") and not answer.ranges
    fixed = {"content-encoding", "content-length"} & told.keys()
    if "gzip" not in call.headers.get("accept-encoding", "") or not is_json or fixed:
        return answer
    if len(answer.body) < WORTH_PACKING:
        return answer
    headers = answer.headers | {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return replace(answer, headers=headers, body=gzip.compress(answer.body, mtime=0))


class Hub:
    """What all connections of a server process share."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.faults = FaultList()
        self.clock_s = 0.0
        """By how much this server's clock is fast."""
        self._log: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the time that this server believes, seconds since 1970."""
        return time.time() + self.clock_s

    def note(self, call: Call, status: int, sent: int, fault: Fault | None) -> dict[str, Any]:
        """Log a request, before it is answered: whoever has the answer finds it in the log."""
        entry: dict[str, Any] = {"method": call.method, "path": call.path, "headers": call.headers, "status": status}
        entry |= {"sent": sent, "body": call.body.decode("latin-1"), "at": time.time(), "fault": fault is not None}
        entry |= {"origin": call.origin}
        with self._lock:
            self._log.append(entry)
        return entry

    def log(self) -> list[dict[str, Any]]:
        """Return the log, oldest first."""
        with self._lock:
            return list(self._log)

    def reset(self) -> None:
        """Forget faults and log, and set the clock right."""
        self.faults.clear()
        self.clock_s = 0.0
        with self._lock:
            self._log.clear()


class Listener(ThreadingHTTPServer):
    """One port of a server process, with TLS or without."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, hub: Hub, *, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.hub = hub
        self.context = context
        self.origin = f"{'https' if context else 'http'}://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Return the next connection; the TLS handshake is left to its own thread."""
        connection, address = super().get_request()
        if self.context:
            connection = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong, but for connections that the client gave up."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # Header and body go out in two writes: with Nagle's algorithm the second would wait for 40 ms.
    disable_nagle_algorithm = True
    server: Listener

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name is the base class's)
        """Keep quiet: the log is asked for over the control channel."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the Date header by the clock of this server."""
        return super().date_time_string(self.server.hub.now() if timestamp is None else timestamp)

    def _serve(self) -> None:
        """Answer one request."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        host = headers.get("host", self.server.origin.split("//")[1])
        origin = f"{self.server.origin.split(':')[0]}://{host}"
        call = Call(method=self.command, path=self.path, headers=headers, body=body, origin=origin)
        fault = self.server.hub.faults.take(call.method, call.path)
        if fault:
            time.sleep(fault.delay_s)
        if fault and fault.reset and fault.cut_after is None:
            self.server.hub.note(call, 0, 0, fault)
            self._break_off()
            return
        self._send(call, self._answer(call, fault), fault)

    def _answer(self, call: Call, fault: Fault | None) -> Answer:
        """Return the true answer, or what a fault makes of it."""
        if fault and not fault.keeps_answer and not (fault.reset and fault.status is None):
            return Answer(status=fault.status or 503, headers=fault.headers, body=fault.body)
        try:
            answer = part_of(self.server.hub.app(call), call)
        except Exception:  # noqa: BLE001  (a mistake in a stand-in must be seen by whoever asked)
            traceback.print_exc()
            return Answer(status=500, headers={"X-Stand-In": "broken"}, body=traceback.format_exc().encode())
        if not fault:
            return packed(answer, call)
        headers = {name: value for name, value in (answer.headers | fault.headers).items() if value}
        body = fault.body or answer.body
        return packed(replace(answer, status=fault.status or answer.status, headers=headers, body=body), call)

    def _send(self, call: Call, answer: Answer, fault: Fault | None) -> None:
        """Send an answer, or as much of it as a fault leaves."""
        bare = call.method == "HEAD" or answer.status in (204, 304)
        body = b"" if bare else answer.body
        cut = len(body) if not fault or fault.cut_after is None else min(fault.cut_after, len(body))
        entry = self.server.hub.note(call, answer.status, cut, fault)
        self.send_response(answer.status)
        told = {name.lower() for name in answer.headers}
        for name, value in answer.headers.items():
            self.send_header(name, value)
        chunked = bool(fault and fault.chunked)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif "content-length" not in told and answer.status != 304:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        entry["sent"] = self._write(body[:cut], fault.trickle_bytes_s if fault else None, chunked=chunked)
        self._finish(fault, whole=cut == len(body), chunked=chunked)

    def _write(self, body: bytes, speed: float | None, *, chunked: bool) -> int:
        """Write a body, at a speed in bytes a second where one is given; return how much went out."""
        sent = 0
        try:
            for piece in _pieces(body, speed):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
                sent += len(piece)
        except OSError:
            self.close_connection = True
        return sent

    def _finish(self, fault: Fault | None, *, whole: bool, chunked: bool) -> None:
        """End an answer: properly, or as a fault wants it."""
        if fault and fault.reset:
            self._break_off()
        elif not whole:
            self.close_connection = True
        elif chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _break_off(self) -> None:
        """Reset the connection."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())
        self.close_connection = True


def _pieces(body: bytes, speed: float | None) -> Iterator[bytes]:
    """Yield a body at once, or piece by piece at a speed in bytes a second."""
    if not speed:
        yield body
        return
    step = max(int(speed / 10), 1)
    for start in range(0, len(body), step):
        yield body[start : start + step]
        time.sleep(step / speed)
