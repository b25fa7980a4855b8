"""One call of `revisit watch`: looked at, printed, sent, written, and the exit code that says how it went."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from revisit.cli.terminal import print_json, tell, warn
from revisit.errors import CHANGED, DONE, SOURCE_FAILED, UsageError, one_line
from revisit.sources import Access

if TYPE_CHECKING:
    from revisit.watch_call import LookDone
    from revisit.watch_hook import Webhook
    from revisit.watch_store import WatchState


def _print_notices(state: WatchState, names: Sequence[str], looks: Sequence[LookDone], *, as_json: bool) -> int:
    """Print what was not printed yet, and keep that it was; return how many.

    Kept after it was written: a kill in between prints it twice, never not at all.
    """
    from revisit.watch_notice import lines_of

    notices = [notice for notice in state.notices(names) if not notice.printed]
    if as_json:
        told = [{"area": done.look.name, "outcome": done.said, "complete": not done.look.problems} for done in looks]
        print_json({"looks": told, "notices": [json.loads(notice.payload) for notice in notices]})
    else:
        for notice in notices:
            told = json.loads(notice.payload)
            typer.echo("\n".join(map(_kept_line, [*lines_of(told), f"  Report: {told['report']}"])))
    sys.stdout.flush()
    for notice in notices:
        state.mark_printed(notice)
    return len(notices)


def _kept_line(text: str) -> str:
    """Return a line that steers no terminal, its indent kept."""
    return text[: len(text) - len(text.lstrip(" "))] + one_line(text)


def _deliver(state: WatchState, names: Sequence[str], webhook: Webhook | None) -> bool:
    """Send what waits; return whether nothing that should have been sent still waits."""
    from revisit.watch_hook import deliver_notices, waiting

    problem = deliver_notices(state, names, webhook) if webhook else None
    left = len(waiting(state, names))
    if problem:
        warn(f"the webhook did not take {left} notice(s): {problem}. They are sent again at the next call")
    elif left:
        warn(f"{left} notice(s) of an earlier call wait for a webhook; give --webhook to send them")
    return problem is None


def look_and_tell(
    state: WatchState,
    names: Sequence[str],
    *,
    runs: Path,
    access: Access,
    feed: Path | None,
    webhook: Webhook | None,
    fail_on_change: bool,
    as_json: bool,
) -> int:
    """Look, and tell what is new on every way; return the exit code."""
    from revisit.watch_call import run_watch
    from revisit.watch_feed import check_feed, write_feed

    areas = state.areas(names)
    if not areas:
        raise UsageError("nothing is watched; `revisit watch add AREA` begins it")
    if feed:
        check_feed(feed)
    looks: list[LookDone] = []

    def done(one: LookDone) -> None:
        looks.append(one)
        for warning in one.look.warnings:
            warn(f"{one.look.name}: {warning}")
        if as_json:
            tell(one.said)
        else:
            typer.echo(one.said)

    sends = webhook is not None
    whole = run_watch(state, areas, runs=runs, access=access, webhook=sends, tell=tell, done=done)
    looked = [area.name for area in areas]
    changed = _print_notices(state, looked, looks, as_json=as_json)
    delivered = _deliver(state, looked, webhook)
    if feed:
        write_feed(state, feed)
    if changed and fail_on_change:
        return CHANGED
    return DONE if whole and delivered else SOURCE_FAILED
