"""Commands that are killed: forked from a process that has everything loaded, so that each costs no start.

Read from stdin, one JSON object a line: `arguments` of the command line, and `kill`, either null, or [module, name,
"before" | "after", count]: the process kills itself (SIGKILL) around the so-manieth call of that function, or a number
of seconds, after which it is killed. Written to stdout, one a line: the exit code, or the negative number of the
signal. What a command prints goes to the file `out`.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

from revisit.cli.main import call
from tests.watching import light_run, unnamed

LOOK: Any = import_module("revisit.watch_look")
RUN = LOOK.run
KEPT: dict[tuple[str, str], Any] = {}
"""Results by their two dates: each comparison is really made, once, and inherited by whoever is forked later."""


def remembered(recipe: Any, **known: Any) -> Any:
    """Compare two dates, or return what that gave."""
    key = str(recipe.before), str(recipe.after)
    if key not in KEPT:
        KEPT[key] = RUN(recipe, **known)
    return KEPT[key]


def deadly(real: Callable[..., Any], moment: str, count: int) -> Callable[..., Any]:
    """Return a function that ends its process around its so-manieth call."""
    left = [count]

    def wrapped(*args: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] == 0 and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*args, **named)
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapped


def arm(module: str, name: str, moment: str, count: int) -> None:
    """Make a function deadly; `name` may be that of a method, "Class.method"."""
    owner: Any = import_module(module)
    *path, last = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    setattr(owner, last, deadly(getattr(owner, last), moment, count))


def work(told: dict[str, Any]) -> int:
    """Run a command in this process."""
    with Path(told["out"]).open("a") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - it stays open until the end
    if isinstance(told["kill"], list):
        arm(*told["kill"])
    code = call(told["arguments"])
    sys.stdout.flush()
    return code


def forked(told: dict[str, Any]) -> int:
    """Run a command in a child, kill it where it is to be killed from outside; return how it ended."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = work(told)
        finally:
            os._exit(code)
    if isinstance(told["kill"], float):
        time.sleep(told["kill"])
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    """Serve until stdin ends."""
    LOOK.run = remembered
    if os.environ.get("LIGHT_RUNS"):
        LOOK.write_run = light_run
    objects: Any = import_module("revisit.detectability")
    objects.with_candidates = unnamed
    for line in sys.stdin:
        told = json.loads(line)
        if told.get("warm"):
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                answer = call(told["arguments"])
        else:
            answer = forked(told)
        sys.__stdout__.write(f"{answer}\n")  # type: ignore[union-attr]
        sys.__stdout__.flush()  # type: ignore[union-attr]


if __name__ == "__main__":
    main()
