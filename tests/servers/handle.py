"""The parent's side of a server process: starting it, putting content and faults, reading the log."""

from __future__ import annotations

import atexit
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from tests.servers.faults import Fault

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Logged:
    """One request that a server saw."""

    method: str
    path: str
    """With the query, as sent."""
    headers: dict[str, str]
    """Of the request; names in lower case."""
    body: bytes
    status: int
    """Of the answer; 0 where the connection was broken off."""
    sent: int
    """Bytes of the answer's body."""
    at: float
    """When it came in, seconds since 1970 by the true clock."""
    fault: bool
    """Whether a fault was met."""
    origin: str
    """Scheme, host and port that it came to."""

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@cache
def shared_folder() -> Path:
    """Return the folder in which the server processes of this one leave what they drew; it goes with this process."""
    folder = Path(tempfile.mkdtemp(prefix="revisit-drawn-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


class Server:
    """A running server process; leaving the `with` ends it."""

    def __init__(self, kind: str, settings: dict[str, Any], *, tls: bool) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="revisit-servers-"))
        told = {"kind": kind, "tls": tls, "folder": str(self._folder), "settings": settings}
        told["shared"] = str(shared_folder()) if kind == "world" else ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUTF8": "1"},
        )  # fmt: skip
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self.stop()
            message = f"the server process of {kind!r} ended at once: its reasons stand above"
            raise RuntimeError(message)
        self.addresses: dict[str, str] = json.loads(line)

    @property
    def url(self) -> str:
        """Where it listens, such as "http://127.0.0.1:40123": no slash at the end."""
        return self.addresses["url"]

    @property
    def ca_file(self) -> Path:
        """The certificate of the authority that vouches for it, where it speaks TLS."""
        return self._folder / "ca.pem"

    def environment(self) -> dict[str, str]:
        """Return the variables that point the product at a world: addresses, credentials, and whom TLS may trust."""
        plain, hub = self.addresses["url"], self.addresses["hub"]
        sas = f"{plain}/planetary-computer/api/sas/v1/token"
        api = f"{hub}/sentinel-hub"
        token = f"{hub}/identity/auth/realms/CDSE/protocol/openid-connect/token"
        return {
            "REVISIT_EARTH_SEARCH_URL": f"{plain}/earth-search/v1",
            "REVISIT_PLANETARY_COMPUTER_URL": f"{plain}/planetary-computer/api/stac/v1",
            "REVISIT_PLANETARY_COMPUTER_SAS_URL": sas,
            "REVISIT_CDSE_STAC_URL": f"{plain}/cdse/v1",
            "REVISIT_SENTINEL_HUB_URL": api,
            "REVISIT_SENTINEL_HUB_TOKEN_URL": token,
            "SH_CLIENT_ID": self.addresses["client_id"],
            "SH_CLIENT_SECRET": self.addresses["client_secret"],
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
            "SSL_CERT_FILE": str(self.ca_file),
        }

    def put(
        self,
        path: str,
        content: bytes,
        content_type: str = "application/octet-stream",
        *,
        headers: Mapping[str, str] | None = None,
        ranges: bool = True,
    ) -> str:
        """Serve content under a path (with or without a query), for every method; return its whole address.

        `headers` are sent with it, and win over the ETag made of the content; without `ranges`, parts are not served.
        """
        told = {"path": path, "type": content_type, "headers": json.dumps(dict(headers or {})), "ranges": int(ranges)}
        self._control("POST", f"/put?{urlencode(told)}", content)
        return self.url + path

    def take(self, path: str) -> None:
        """Serve 404 again where something was put."""
        self._control("POST", f"/take?{urlencode({'path': path})}", b"")

    def fault(self, pattern: str, faults: Sequence[Fault], *, share: float = 1.0, seed: int = 0) -> None:
        """Let each request that the pattern fits meet the next fault.

        The pattern is compared as by `fnmatch` with the path, with and without its query; "POST /x" limits the method.
        With a `share` under 1, that share of the requests meets one of the faults, drawn by `seed`, without end.
        """
        told = {"pattern": pattern, "faults": [one.to_json() for one in faults], "share": share, "seed": seed}
        self._control("POST", "/fault", json.dumps(told).encode())

    def set(self, **changed: Any) -> None:
        """Change settings while it runs; every server has `clock_s`, by which its clock is fast."""
        self._control("POST", "/set", json.dumps(changed).encode())

    def log(self, pattern: str = "*") -> list[Logged]:
        """Return the requests seen so far, oldest first; of those only whose path fits the pattern."""
        from fnmatch import fnmatchcase

        entries = json.loads(self._control("GET", "/log", b""))
        whole = [Logged(**{**one, "body": one["body"].encode("latin-1")}) for one in entries]
        return [one for one in whole if fnmatchcase(one.path, pattern)]

    def reset(self) -> None:
        """Forget faults and log and go back to the settings of the start; what was put stays."""
        self._control("POST", "/reset", b"")

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _control(self, method: str, path: str, body: bytes) -> bytes:
        """Ask the control port."""
        connection = http.client.HTTPConnection(urlsplit(self.addresses["control"]).netloc, timeout=60)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(content.decode(errors="replace"))
        return content

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(kind: str, *, tls: bool = False, **settings: Any) -> Server:
    """Start a server process on loopback, on ports that are free.

    Parameters
    ----------
    kind
        "blank": serves what is put. "world": stands in for the imagery sources; `settings` are the fields of
        `tests.servers.world.Settings`.
    tls
        Whether `url` speaks TLS; `ca_file` is then what a client must trust.
    """
    return Server(kind, settings, tls=tls)
