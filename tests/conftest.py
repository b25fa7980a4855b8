"""What all tests share: real imagery where it is there, and a network that ends at this machine."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# The same examples for everyone, so that a red run can be repeated; `--hypothesis-profile=explore` draws new ones.
settings.register_profile("explore", deadline=None)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

DEAD_PROXY = "http://127.0.0.1:9"
"""Port 9 (discard) answers nobody: what reads the proxy settings, such as GDAL and child processes, gets no further."""


def is_loopback(address: object) -> bool:
    """Return whether a socket's address is on this machine: a path (Unix), or a host that is a loopback address."""
    host = address[0] if isinstance(address, tuple) else None
    if not isinstance(host, str):
        return isinstance(address, str | bytes)
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True, scope="session")
def network_guard(request: pytest.FixtureRequest) -> Iterator[None]:
    """Refuse every connection and every name that leaves this machine, unless `-m live` asks for the real sources."""
    if request.config.getoption("markexpr") == "live":
        yield
        return
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if not is_loopback(address):
            pytest.fail(f"a test tried to reach {address}: tests use servers on 127.0.0.1 only")
        connect(self, address)

    def guarded_resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host and not is_loopback((host,)):
            pytest.fail(f"a test tried to look up {host}: tests use servers on 127.0.0.1 only")
        return resolve(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket, "getaddrinfo", guarded_resolve)
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            patch.setenv(name, DEAD_PROXY)
        for name in ("no_proxy", "NO_PROXY"):
            patch.setenv(name, "127.0.0.1,localhost,::1")
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real imagery that REVISIT_TEST_DATA names; without it, skip."""
    named = os.environ.get("REVISIT_TEST_DATA")
    if not named:
        pytest.skip("real imagery: REVISIT_TEST_DATA names no folder (CONTRIBUTING.md says what it holds)")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"REVISIT_TEST_DATA={named} is no folder: correct it, or unset it to skip these tests")
    return folder
