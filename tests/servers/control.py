"""The control channel of a server process: content, faults, the log, settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.servers.faults import Fault
from tests.servers.wire import Answer, App, Call, Hub


class Shelf:
    """Objects that were put, by path."""

    def __init__(self) -> None:
        self._objects: dict[str, Answer] = {}

    def put(self, call: Call) -> None:
        """Keep the body of a control request under the path that its query names."""
        told = call.query
        headers = {"Content-Type": told["type"], **json.loads(told["headers"])}
        self._objects[told["path"]] = Answer(headers=headers, body=call.body, ranges=told["ranges"] == "1")

    def take(self, path: str) -> None:
        """Remove an object."""
        self._objects.pop(path, None)

    def __call__(self, call: Call) -> Answer:
        """Return an object; the path may have been put with its query or without."""
        found = self._objects.get(call.path) or self._objects.get(call.route)
        return found or Answer(status=404, headers={"Content-Type": "text/plain"}, body=b"no such object\n")


def control(hub: Hub, shelf: Shelf, settings: Callable[[dict[str, Any]], None], restore: Callable[[], None]) -> App:
    """Return the application that listens on the control port.

    `settings` takes changed settings; `restore` brings back those of the start.
    """

    def fault(call: Call) -> None:
        told = json.loads(call.body)
        faults = [Fault.from_json(one) for one in told["faults"]]
        hub.faults.add(told["pattern"], faults, share=told["share"], seed=told["seed"])

    def reset(_: Call) -> None:
        hub.reset()
        restore()

    def change(call: Call) -> None:
        told = json.loads(call.body)
        hub.clock_s = told.pop("clock_s", hub.clock_s)
        settings(told)

    actions: dict[str, Callable[[Call], None]] = {
        "/put": shelf.put,
        "/take": lambda call: shelf.take(call.query["path"]),
        "/fault": fault,
        "/reset": reset,
        "/set": change,
    }

    def answer(call: Call) -> Answer:
        if call.route == "/log":
            return Answer(headers={"Content-Type": "application/json"}, body=json.dumps(hub.log()).encode())
        actions[call.route](call)
        return Answer(headers={"Content-Type": "application/json"}, body=b"{}")

    return answer
