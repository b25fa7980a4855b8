"""A receiver of webhooks in a process of its own, built on the code that the documentation gives to receivers.

python -m tests.receiver FOLDER      prints its address, then keeps each notice that it takes as FOLDER/N.json
"""

from __future__ import annotations

import re
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

SECRET = "a secret of the tests, long enough"
ROOT = Path(__file__).parents[1]


def documented() -> dict[str, Any]:
    """Return what the code block of docs/watch.md for receivers defines."""
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "watch.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(block, names)
    return names


def serve(folder: Path) -> None:
    """Take notices until killed: 204 where the signature is right, 403 where it is not, 200 for a repeat."""
    is_signed, taken = documented()["is_signed"], set[str]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            key, signed = self.headers["Idempotency-Key"], self.headers["Revisit-Signature"]
            if not is_signed(SECRET.encode(), signed, body):
                self.send_response(403)
            elif key in taken:
                self.send_response(200)
            else:
                taken.add(key)
                (folder / f"{len(taken)}.json").write_bytes(body)
                self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        sys.stdout.write(f"http://127.0.0.1:{server.server_port}/hook\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
