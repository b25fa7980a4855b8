"""Servers on this machine for tests and rehearsals, each in a process of its own, with faults on demand.

    with start("blank") as server:
        server.put("/a.tif", content, "image/tiff")
        server.fault("/a.tif", [Fault(status=503, headers={"Retry-After": "1"}), Fault(cut_after=100)])
        ...                                   # ask server.url + "/a.tif"
        assert [one.status for one in server.log()] == [503, 206, 206]

`start("world")` stands in for the imagery sources: see `tests.servers.world`. Their own process is no luxury: a GDAL
that reads from a server in its own process waits for itself for ever.
"""

from __future__ import annotations

from tests.servers.faults import FOR_EVER, Fault
from tests.servers.handle import Logged, Server, start

__all__ = ["FOR_EVER", "Fault", "Logged", "Server", "start"]
