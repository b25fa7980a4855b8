"""Connections to machines that were checked: the address that is connected to is the one that was looked at."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any, Literal

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from imagery.addresses import Reach, may_connect

Trouble = Literal["unreachable", "barred", "tls", "broken"]


class FailedError(Exception):
    """An exchange that came to no end. No `OSError`: the libraries in between would pack it into theirs."""

    def __init__(self, kind: Trouble, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        """No connection; a machine that must not be reached; a certificate; or broken off."""
        self.text = text
        """To follow the host's name and a colon."""


def look_up(host: str, port: int, *, timeout_s: float) -> list[str]:
    """Return the numeric addresses of a host, in the order in which to try them.

    Raises
    ------
    FailedError
        Where there is none, or none within the time: a resolver without a network may take half a minute.
    """
    answer: Future[list[str]] = Future()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            answer.set_exception(error)
        else:
            answer.set_result(list(dict.fromkeys(str(one[4][0]) for one in found)))

    # A daemon: a look-up cannot be broken off, and must not keep the program from ending.
    threading.Thread(target=ask, daemon=True, name=f"look up {host}").start()
    try:
        return answer.result(timeout_s)
    except TimeoutError:
        reason = f"no name server answered within {timeout_s:g} s"
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "no such name"
    raise FailedError("unreachable", f"its name cannot be looked up ({reason})")


def connect(host: str, port: int, *, reach: Reach, timeout_s: float) -> socket.socket:
    """Connect to a host, provided that every one of its addresses may be reached.

    One that may not is enough to refuse: a name that leads now here, now there is how private machines are got at.
    """
    found = look_up(host, port, timeout_s=timeout_s)
    barred = next((ip for ip in found if not may_connect(ip, reach)), None)
    if barred:
        outside = "not on this machine" if reach == "loopback" else "not on the public Internet"
        raise FailedError("barred", f"its name leads to {barred}, which is {outside}; not connected")
    reason, end = "no address", time.monotonic() + timeout_s
    for left, ip in zip(range(len(found), 0, -1), found, strict=True):
        # Each gets its share, so that a host with many addresses is not waited for many times over.
        share = max(end - time.monotonic(), 0.1) / left
        try:
            connected = socket.create_connection((ip, port), timeout=share)
        except OSError as error:
            reason = "no answer" if isinstance(error, TimeoutError) else error.strerror or type(error).__name__
        else:
            # A request goes out in two writes; the second must not wait for the first to be confirmed.
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connected
    raise FailedError("unreachable", f"cannot be connected to ({reason.lower()})")


@contextmanager
def _cut_off(connected: Any, seconds: object) -> Iterator[None]:
    """Break a connection off after a while: the time-out of a socket starts anew with each byte."""

    def cut() -> None:
        with suppress(OSError):
            # Of the plain socket: that of TLS would first forget its state under the reader's hands.
            socket.socket.shutdown(connected, socket.SHUT_RDWR)

    if connected is None or not isinstance(seconds, int | float):
        yield
        return
    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class PlainConnection(HTTPConnection):
    """A connection that waits for the whole head of an answer as long as for one byte of it, and no longer."""

    def getresponse(self) -> Any:
        """Return the head of the answer."""
        with _cut_off(self.sock, self.timeout):
            return super().getresponse()


class SecureConnection(HTTPSConnection):
    """The same with TLS."""

    def getresponse(self) -> Any:
        """Return the head of the answer."""
        with _cut_off(self.sock, self.timeout):
            return super().getresponse()


def _pools(plain: type[HTTPConnection], secure: type[HTTPSConnection]) -> dict[str, type[HTTPConnectionPool]]:
    class PlainPool(HTTPConnectionPool):
        ConnectionCls = plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = secure

    return {"http": PlainPool, "https": SecurePool}


def _checked(made: HTTPConnection, reach: Reach) -> socket.socket:
    """Connect in the place of `_new_conn` of urllib3, whose time-out at this moment is the one for connecting."""
    seconds = float(made.timeout) if isinstance(made.timeout, int | float) else 5.0
    connected = connect(made.host, made.port, reach=reach, timeout_s=seconds)
    connected.settimeout(seconds)
    return connected


def free_pools() -> dict[str, type[HTTPConnectionPool]]:
    """Return the kinds of connection pools for a proxy: it looks up the names, and is wherever the user says it is."""
    return _pools(PlainConnection, SecureConnection)


def checked_pools(reach: Reach) -> dict[str, type[HTTPConnectionPool]]:
    """Return the kinds of connection pools, by scheme, whose connections lead no further than `reach`."""

    class Plain(PlainConnection):
        def _new_conn(self) -> socket.socket:
            return _checked(self, reach)

    class Secure(SecureConnection):
        def _new_conn(self) -> socket.socket:
            return _checked(self, reach)

    return _pools(Plain, Secure)
