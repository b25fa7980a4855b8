"""The server process. It reads one line of JSON, tells its addresses in one line, and ends with its standard input."""

from __future__ import annotations

import json
import ssl
import sys
from pathlib import Path
from typing import Any

from tests.servers.control import Shelf, control
from tests.servers.wire import Hub, Listener


def certified(folder: Path) -> ssl.SSLContext:
    """Return a TLS context for 127.0.0.1 and leave the authority's certificate in `folder`/ca.pem."""
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


def blank(told: dict[str, Any]) -> dict[str, str]:
    """Serve what is put, and nothing else; return the addresses."""
    shelf = Shelf()
    hub = Hub(shelf)
    context = certified(Path(told["folder"])) if told["tls"] else None
    steering = Hub(control(hub, shelf, _refuse, lambda: None))
    return {"url": Listener(hub, context=context).origin, "control": Listener(steering).origin}


def world(told: dict[str, Any]) -> dict[str, str]:
    """Serve the stand-ins of the sources; return the addresses."""
    from tests.servers.world import World

    shelf = Shelf()
    shared = Path(told["shared"]) if told["shared"] else None
    hub = Hub(shelf)
    known = World(told["settings"], hub.now, shared)
    # What was put wins over what is drawn.
    hub.app = lambda call: found if (found := shelf(call)).status == 200 else known(call)
    context = certified(Path(told["folder"]))
    plain = None if not told["tls"] else context
    ports = {"url": Listener(hub, context=plain), "assets": Listener(hub, context=plain),
             "hub": Listener(hub, context=context)}  # fmt: skip
    known.begin(ports["assets"].origin)
    steering = Hub(control(hub, shelf, known.change, known.restore))
    addresses = {name: port.origin for name, port in ports.items()} | {"control": Listener(steering).origin}
    return addresses | {"client_id": known.first.client_id, "client_secret": known.first.client_secret}


def _refuse(changed: dict[str, Any]) -> None:
    """Refuse settings: a blank server has none but the clock."""
    if changed:
        message = f"a blank server knows no setting {sorted(changed)}"
        raise ValueError(message)


def main() -> None:
    """Start the listeners, tell their addresses, and stay until the parent goes."""
    told = json.loads(sys.stdin.readline())
    kinds = {"blank": blank, "world": world}
    sys.stdout.write(json.dumps(kinds[told["kind"]](told)) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


main()
