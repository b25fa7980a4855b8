"""What stands before every page of the viewer: who may ask, for what, and what the answer lets a browser do."""

from __future__ import annotations

import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("127.0.0.1", "localhost")
LONGEST_PATH = 2048
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
REPORT_POLICY = "frame-ancestors 'none'"
"""A report brings a stricter policy of its own, which names its script and style by their hashes."""
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Refuses other hosts, other sites, wrong tokens, long addresses, and all but GET (but where a page may save)."""

    def __init__(self, app: ASGIApp, *, token: str, port: int, saving: str | None = None) -> None:
        self.app = app
        self.token = token
        self.own = {f"{host}:{port}" for host in HOSTS}
        self.saving = saving

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return why a request is refused; None where it is not."""
        headers, path = Headers(scope=scope), scope["path"]
        if headers.getlist("host") != [headers.get("host", "")] or headers.get("host", "").lower() not in self.own:
            return 400, "this page is for this machine alone"
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > LONGEST_PATH:
            return 414, "the address is too long"
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in {f"http://{host}" for host in self.own}:
            return 403, "other sites may not ask"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return 403, "other sites may not ask"
        given = path.split("/", 2)[1] if path.startswith("/") else ""
        if not secrets.compare_digest(given.encode("utf-8", "replace"), self.token.encode()):
            return 404, "there is no such page"
        allowed = ("GET", "HEAD", "POST") if path == f"/{self.token}/{self.saving}" else ("GET", "HEAD")
        return None if scope["method"] in allowed else (405, "only GET is answered")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            # No web sockets; "lifespan" is the server's own.
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("content-security-policy", POLICY)
            await send(message)

        refusal = self._refusal(scope)
        if refusal:
            await PlainTextResponse(refusal[1] + "\n", status_code=refusal[0])(scope, receive, guarded)
        else:
            await self.app(scope, receive, guarded)
