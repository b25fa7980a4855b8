"""Run the stand-ins of the sources for a person; started by `scripts/servers`."""

from __future__ import annotations

import json
import shlex
import sys
import threading

from tests.servers.handle import start

AFTERWARDS = """
# In another shell, paste the lines above; then for example
#   revisit scenes khmeimim --from 2024-11-25 --to 2024-12-25
#   revisit compare khmeimim --before 2024-11-30 --after 2024-12-20
# All imagery is invented; the scenes' ids and times are not. Ctrl-C ends the servers.
"""


def main() -> None:
    """Start a world, with settings in JSON as the one argument; print how to point a shell at it; stay."""
    settings = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    with start("world", **settings) as world:
        lines = [f"export {name}={shlex.quote(value)}" for name, value in world.environment().items()]
        sys.stdout.write("\n".join(lines) + "\n" + AFTERWARDS)
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.stderr.write("Ended.\n")


if __name__ == "__main__":
    main()
