"""One exchange with one server over requests and urllib3. None of their errors leaves this module."""

from __future__ import annotations

import os
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy

from imagery.addresses import Reach
from imagery.http.connection import FailedError, checked_pools, free_pools
from imagery.redact import one_line
from imagery.retry import Patience

CHUNK = 1 << 16
"""Bytes read at once, and so between two looks at the speed."""
_SWITCHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")
"""How OpenSSL names the certificates in a folder that it can use."""

TLS_ADVICE = (
    "Where a proxy of your network opens secure connections, name the file of its root certificate in "
    "REQUESTS_CA_BUNDLE; the check is never left out"
)


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A request as it goes out, with everything secret in it."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    reach: Reach


class Incoming:
    """An answer whose body has not been read yet."""

    def __init__(self, response: requests.Response, patience: Patience) -> None:
        self.status = response.status_code
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        """Names in lower case."""
        self._raw: urllib3.BaseHTTPResponse = response.raw
        self._patience = patience

    def pieces(self, most: int, *, give_up: Callable[[], bool]) -> Iterator[bytes]:
        """Yield the body as it was sent, packed or not, up to `most` bytes and the piece that passes it.

        Raises
        ------
        FailedError
            Where it is cut short, stalls, comes too slowly, or `give_up` says that the time is over.
        """
        pace = _Pace(self._patience)
        with _translated():
            while most >= 0 and (piece := self._raw.read1(CHUNK, decode_content=False)):
                most -= len(piece)
                yield piece
                pace.check(len(piece))
                if give_up():
                    raise FailedError("broken", "its answer was not complete when the time for this run was over")


class _Pace:
    """Whether a body comes fast enough, measured over one stretch of time after the other."""

    def __init__(self, patience: Patience) -> None:
        self._patience, self._since, self._bytes = patience, time.monotonic(), 0

    def check(self, received: int) -> None:
        """Count bytes; raise where the stretch is over and too few came."""
        self._bytes += received
        # By the true time: a body does not come any faster where a clock is set forward.
        took = time.monotonic() - self._since
        if took < self._patience.slow_over_s:
            return
        if self._bytes < self._patience.slow_bytes_s * took:
            raise FailedError("broken", f"sends too slowly ({self._bytes / took:,.0f} bytes/s over {took:.0f} s)")
        self._since, self._bytes = time.monotonic(), 0


class _Adapter(HTTPAdapter):
    """Connections that lead no further than they may."""

    def __init__(self, reach: Reach, parallel: int) -> None:
        self._reach = reach
        super().__init__(pool_maxsize=parallel)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = checked_pools(self._reach)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = free_pools()
        return manager


class Transport:
    """Connections to many hosts, kept open for the next request; safe for threads."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        reaches: tuple[Reach, ...] = ("public", "configured", "loopback")
        # One each: a connection that one source may have must not serve a request of another that may not.
        self._adapters = {reach: _Adapter(reach, patience.parallel) for reach in reaches}

    @contextmanager
    def exchange(self, outgoing: Outgoing) -> Iterator[Incoming]:
        """Send a request and yield its answer, redirects as they are; the body is read inside the block, or not.

        Raises
        ------
        FailedError
            Where no whole answer comes.
        """
        with _translated():
            response = self._send(outgoing)
        try:
            yield Incoming(response, self._patience)
        finally:
            response.close()

    def _send(self, outgoing: Outgoing) -> requests.Response:
        made = requests.Request(outgoing.method, outgoing.url, headers=dict(outgoing.headers), data=outgoing.body)
        # Prepared by itself, and not by a session, which would add passwords from a .netrc file.
        return self._adapters[outgoing.reach].send(
            made.prepare(),
            stream=True,
            timeout=(self._patience.connect_s, self._patience.read_s),
            verify=authorities(os.environ),
            proxies=_proxies(outgoing),
        )

    def close(self) -> None:
        """Close all connections."""
        for adapter in self._adapters.values():
            adapter.close()


def _proxies(outgoing: Outgoing) -> dict[str, str]:
    """Return the proxies of the environment; what is on this machine is asked directly."""
    if outgoing.reach == "loopback":
        return {}
    proxies: dict[str, str] = get_environ_proxies(outgoing.url)
    return proxies if select_proxy(outgoing.url, proxies) else {}


def authorities(environment: Mapping[str, str]) -> str | bool:
    """Return where the certificates stand that are trusted: a file or folder; True for those that `requests` brings.

    In this order: REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR, the system's own, those of
    `requests`. Never False: a server is always made to prove who it is.
    """
    named = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
    given = next((environment[name] for name in named if environment.get(name)), None)
    if given:
        return given
    usual = ssl.get_default_verify_paths()
    if Path(usual.openssl_cafile).is_file():
        return usual.openssl_cafile
    folder = Path(usual.openssl_capath)
    usable = folder.is_dir() and any(_SWITCHED.fullmatch(path.name) for path in folder.iterdir())
    return str(folder) if usable else True


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what the libraries raise into `FailedError`, which has no part of the request in it."""
    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise _explain(error) from None


def _explain(error: BaseException) -> FailedError:
    """Return what an exception of the libraries means."""
    causes = tuple(_causes(error))
    found = _not_connected(error, causes) or _not_trusted(error, causes)
    if found:
        return found
    if any(isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError) for cause in causes):
        return FailedError("broken", "fell silent before its answer was complete")
    return FailedError("broken", f"broke off before its answer was complete ({_reason(causes)})")


def _not_connected(error: BaseException, causes: tuple[BaseException, ...]) -> FailedError | None:
    """Return the failure to connect that an exception stands for; without a proxy `connect` says so itself."""
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return None
    if isinstance(error, requests.exceptions.ProxyError):
        return FailedError("unreachable", "cannot be reached through the proxy that the environment names")
    late = isinstance(error, requests.exceptions.ConnectTimeout)
    if late or any(isinstance(cause, urllib3.exceptions.NewConnectionError) for cause in causes):
        return FailedError("unreachable", "cannot be connected to")
    return None


def _not_trusted(error: BaseException, causes: tuple[BaseException, ...]) -> FailedError | None:
    """Return the failure of TLS, or of the settings for it, that an exception stands for, if it does."""
    failed = next((cause for cause in reversed(causes) if isinstance(cause, ssl.SSLError)), None)
    if isinstance(failed, ssl.SSLCertVerificationError):
        why = one_line(failed.verify_message, most=80)
        return FailedError("tls", f"does not prove who it is ({why}). {TLS_ADVICE}")
    # Hung up in the middle: as good as a reset.
    if failed and not isinstance(failed, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return FailedError("tls", f"no secure connection ({_reason(causes)}). {TLS_ADVICE}")
    if isinstance(error, requests.exceptions.InvalidSchema):
        return FailedError("tls", "the proxy that the environment names is of a kind that is not supported")
    if type(error) is OSError:
        # A bundle of certificates that is not there: `requests` says which.
        return FailedError("tls", one_line(str(error), most=160))
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and what led to it, up to the tenth."""
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _reason(causes: tuple[BaseException, ...]) -> str:
    """Return the innermost reason in a word or two; never a text in which an address may stand."""
    for cause in reversed(causes):
        word = getattr(cause, "reason", None) if isinstance(cause, ssl.SSLError) else None
        if isinstance(cause, OSError) and (word or cause.strerror):
            return one_line(str(word or cause.strerror), most=60).lower().replace("_", " ")
    return re.sub(r"(?<!^)(?=[A-Z])", " ", type(causes[-1]).__name__).lower()
