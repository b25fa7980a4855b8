"""Tests reach nothing but this machine: the guard of conftest.py at work."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "example.org", "10.0.0.1", "127.0.0.1.example.org"])
def test_other_machines_are_out_of_reach(host: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="tests use servers on 127"):
        socket.create_connection((host, 80), timeout=1)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_within_reach(host: str) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection((host, server.getsockname()[1]), timeout=5) as client,
    ):
        assert client.getpeername() == server.getsockname()


def test_child_processes_are_sent_to_a_proxy_that_answers_nobody() -> None:
    code = "import urllib.request; urllib.request.urlopen('http://192.0.2.1/', timeout=5)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "Connection refused" in done.stderr
