"""Who may in: SAS tokens of the Planetary Computer, OAuth tokens of Sentinel Hub."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.servers.settings import Settings
from tests.servers.stac import reply
from tests.servers.wire import Answer, Call

KEY = b"a key that never leaves this process"
CONTAINERS = {
    "sentinel-2-l2a": "sentinel2l2a01/sentinel2-l2",
    "sentinel-1-rtc": "sentinel1euwestrtc/sentinel1-grd-rtc",
    "sentinel-1-grd": "sentinel1euwest/s1-grd",
}
"""Collection: account and container."""
DENIED = (
    '<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{text}\n'
    "RequestId:00000000-0000-0000-0000-000000000000\nTime:{time}</Message></Error>"
)


def _iso(seconds: float) -> str:
    """Return a time as SAS writes it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _signature(container: str, fields: dict[str, str]) -> str:
    """Return the signature of a token's fields."""
    text = "\n".join([container, *(f"{name}={fields[name]}" for name in ("st", "se", "sp", "sv", "sr"))])
    return base64.b64encode(hmac.new(KEY, text.encode(), hashlib.sha256).digest()).decode()


class Signatures:
    """The SAS endpoint, and the check of what it issued."""

    def __init__(self, settings: Settings, now: Callable[[], float]) -> None:
        self.settings = settings
        self.now = now
        self._issued = 0
        self._lock = threading.Lock()

    def _token(self, container: str) -> dict[str, str]:
        """Return a new token for a container."""
        with self._lock:
            self._issued += 1
            stale = self._issued <= self.settings.sas_stale
        ends = self.now() + (-60 if stale else self.settings.sas_life_s)
        fields = {"st": _iso(ends - 86_400), "se": _iso(ends), "sp": "rl", "sv": "2021-06-08", "sr": "c",
                  "skoid": "9c8ff44a-6a2c-4dfb-b298-1c9212f64d9a", "sks": "b", "skv": "2021-06-08"}  # fmt: skip
        signed = urlencode(fields | {"sig": _signature(container, fields)})
        return {"msft:expiry": fields["se"], "token": signed}

    def __call__(self, call: Call) -> Answer:
        """Answer below /api/sas/v1: token/{account}/{container}, token/{collection}, sign?href=."""
        path = call.route.partition("/api/sas/v1/")[2]
        if path == "sign":
            return self._sign(call.query.get("href", ""))
        name = path.removeprefix("token/")
        container = CONTAINERS.get(name, name)
        if not path.startswith("token/") or container not in CONTAINERS.values():
            return reply({"detail": "Not Found"}, 404)
        return reply(self._token(container))

    def _sign(self, href: str) -> Answer:
        """Return a signed address."""
        container = next((one for one in CONTAINERS.values() if _is_in(urlsplit(href).path, one)), None)
        if not container:
            return reply({"href": href})
        token = self._token(container)
        return reply({"href": f"{href}?{token['token']}", "msft:expiry": token["msft:expiry"]})

    def refusal(self, call: Call) -> Answer | None:
        """Return the answer to a blob request without a good signature; None where it has one."""
        if not self.settings.sas_wanted:
            return None
        container = next((one for one in CONTAINERS.values() if _is_in(call.route, one)), "")
        told = {name: values[0] for name, values in parse_qs(urlsplit(call.path).query).items()}
        now = _iso(self.now())
        wanted = ("st", "se", "sp", "sv", "sr", "sig")
        good = all(name in told for name in wanted)
        good = good and hmac.compare_digest(told["sig"], _signature(container, told))
        if good and told["st"] <= now < told["se"]:
            return None
        text = "Server failed to authenticate the request. Make sure the Authorization header is formed correctly."
        if good:
            text = f"Signature not valid in the specified time frame: Start [{told['st']}] - Expiry [{told['se']}]"
        body = DENIED.format(code="AuthenticationFailed", text=text, time=now)
        headers = {"Content-Type": "application/xml", "x-ms-error-code": "AuthenticationFailed"}
        return Answer(status=403, headers=headers, body=body.encode())


def _is_in(path: str, container: str) -> bool:
    """Return whether a path on the asset server lies in a container."""
    account, name = container.split("/")
    return path.startswith(f"/{account}.blob.core.windows.net/{name}/")


def _part(content: dict[str, Any]) -> str:
    """Return a part of a JWT."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


class Tokens:
    """The OAuth endpoint, and the check of what it issued."""

    def __init__(self, settings: Settings, now: Callable[[], float]) -> None:
        self.settings = settings
        self.now = now
        self._known: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def __call__(self, call: Call) -> Answer:
        """Answer a request for a token."""
        told = {name: values[0] for name, values in parse_qs(call.body.decode()).items()}
        if call.method != "POST" or told.get("grant_type") != "client_credentials":
            return reply({"error": "unsupported_grant_type", "error_description": "Unsupported grant_type"}, 400)
        if (told.get("client_id"), told.get("client_secret")) != (self.settings.client_id, self.settings.client_secret):
            text = "Invalid client or Invalid client credentials"
            return reply({"error": "invalid_client", "error_description": text}, 401)
        now, life = self.now(), self.settings.token_life_s
        with self._lock:
            content = {"exp": int(now + life), "iat": int(now), "jti": f"{len(self._known)}", "azp": told["client_id"]}
            token = ".".join([_part({"alg": "RS256", "typ": "JWT"}), _part(content), _part({"signature": "none"})])
            self._known[token] = (now + life, self.settings.token_generation)
        return reply({"access_token": token, "expires_in": life, "refresh_expires_in": 0, "token_type": "Bearer",
                      "not-before-policy": 0, "scope": "email profile user-context"})  # fmt: skip

    def is_good(self, call: Call) -> bool:
        """Return whether a request carries a token that is valid now."""
        kind, _, token = call.headers.get("authorization", "").partition(" ")
        ends, generation = self._known.get(token, (0.0, 0))
        return kind == "Bearer" and self.now() < ends and generation == self.settings.token_generation
