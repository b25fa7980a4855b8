"""`revisit watch`: areas that are looked at again and again, only at what is new."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from revisit.cli.terminal import fail, meter, print_json, tell, warn
from revisit.errors import SOURCE_FAILED, UsageError, one_line
from revisit.sources import Access

if TYPE_CHECKING:
    from revisit.watch_store import WatchState
    from revisit.watch_values import Notice, WatchedArea, WatchWish

BOTH = "now"
"""The hidden command behind `revisit watch AREA ...`."""
MOST_WAIT_S = 86_400.0


class AreasOrCommand(TyperGroup):
    """What is no command is an area: `revisit watch AREA ...` adds it and looks at it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the hidden command before areas and their options."""
        if args and args[0] not in {*self.commands, "--help"}:
            args = [BOTH, *args]
        return list(super().parse_args(ctx, args))


watch_app = typer.Typer(
    cls=AreasOrCommand,
    help="Look again and again at areas, only at what is new, and tell each change once.\n\n"
    "`revisit watch AREA ...` adds areas and looks at them; the commands do one of both.\n\n"
    "Example: revisit watch khmeimim tartus --sensor s2",
    no_args_is_help=True,
    rich_markup_mode=None,
)

State = Annotated[Path, typer.Option("--state", help="File that holds what is watched and what was told.")]
Specs = Annotated[list[str], typer.Argument(metavar="AREA...", help="Built-in sites, or area files.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Of areas on the list; none: all.")]
Sensor = Annotated[str, typer.Option(help="auto (both), s2 or s1.")]
From = Annotated[
    str, typer.Option("--source", help="auto, earth-search, planetary-computer, sentinel-hub or folder:PATH.")
]
Alarms = Annotated[
    float,
    typer.Option("--false-alarms", help="Flags that chance alone may give per km2 of searched ground and comparison."),
]
Baseline = Annotated[int, typer.Option(help="Most earlier dates from which the noise of unchanged ground is learned.")]
Since = Annotated[
    str | None,
    typer.Option(help="Passes from this day on are looked at; earlier ones only compared with.", show_default="today"),
]
Feed = Annotated[Path | None, typer.Option(help="Atom feed to write.", show_default=False)]
Hook = Annotated[
    str | None,
    typer.Option(
        help="Address that new changes are posted to, signed with REVISIT_WEBHOOK_SECRET.",
        envvar="REVISIT_WEBHOOK_URL",
        show_envvar=True,
        show_default=False,
    ),
]
Private = Annotated[
    bool, typer.Option("--allow-private", help="Let the webhook lead into your own network, and to other ports.")
]
FailOnChange = Annotated[bool, typer.Option("--fail-on-change", help="Exit with 1 when a new change is told.")]
Offline = Annotated[bool, typer.Option("--offline", help="Ask no source: only what was fetched before.")]
MaxUnits = Annotated[
    float | None,
    typer.Option(help="Processing units of Sentinel Hub that each area may cost.", show_default="no limit"),
]
Wait = Annotated[float, typer.Option(help="Seconds to wait for another call that is at work on the same state.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the runs.", show_default="runs, by the state")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

STATE = Path("revisit-watch.sqlite")


def _wish(*, sensor: str, source: str, false_alarms: float, baseline: int, since: str | None) -> WatchWish:
    """Return how areas are to be watched."""
    from revisit.recipe import parse_date
    from revisit.watch_values import WatchWish

    first: date = parse_date(since, "--since") if since else datetime.now(UTC).date()
    return WatchWish(since=first, sensor=sensor, source=source, false_alarms_per_km2=false_alarms, baseline=baseline)


def _say_added(state: WatchState, names: Sequence[str]) -> None:
    """Say how areas are watched."""
    from revisit.watch_values import SENSOR_NAMES, SENSORS_OF

    for area in state.areas(names) if names else ():
        wish = area.wish
        sensors = " and ".join(SENSOR_NAMES[sensor] for sensor in SENSORS_OF[wish.sensor])
        rate = f"{wish.false_alarms_per_km2:g} flags by chance per km2 and comparison"
        tell(f"{area.name} is watched from {wish.since} on: {sensors}, {rate}, source {wish.source}")


def _alone(state: Path, work: Callable[[], int], *, wait: float = 0.0, create: bool = False) -> int:
    """Do something while no other call is at work on a state; return its exit code."""
    from revisit.watch_call import BusyError, alone
    from revisit.watch_file import require_file

    if not create:
        require_file(state)
    if not 0 <= wait <= MOST_WAIT_S:
        raise UsageError(f"--wait {wait:g}: choose 0 to {MOST_WAIT_S:g} s")
    try:
        with alone(state, wait_s=wait):
            return work()
    except BusyError as error:
        fail(str(error))
        return SOURCE_FAILED


@watch_app.command("add")
def add(
    areas: Specs,
    *,
    state: State = STATE,
    sensor: Sensor = "auto",
    source: From = "auto",
    false_alarms: Alarms = 0.1,
    baseline: Baseline = 20,
    since: Since = None,
) -> None:
    """Put areas on the list.

    Example: revisit watch add khmeimim --sensor s2 --since 2024-12-01
    """
    from revisit.watch_call import add_areas
    from revisit.watch_store import open_state

    wish = _wish(sensor=sensor, source=source, false_alarms=false_alarms, baseline=baseline, since=since)

    def work() -> int:
        with open_state(state, create=True) as opened:
            _say_added(opened, add_areas(opened, areas, wish))
        return 0

    raise typer.Exit(_alone(state, work, create=True))


@watch_app.command("remove")
def remove(names: Annotated[list[str], typer.Argument(metavar="NAME...")], state: State = STATE) -> None:
    """Take areas off the list, with all that is known of them; their runs stay.

    Example: revisit watch remove khmeimim
    """
    from revisit.watch_store import open_state

    def work() -> int:
        with open_state(state) as opened:
            for area in opened.areas(names):
                lost = [notice for notice in opened.notices([area.name]) if notice.webhook == "waiting"]
                opened.remove(area.name)
                tell(f"{area.name} is not watched any more")
                if lost:
                    warn(f"{len(lost)} notice(s) of {area.name} were never delivered, and are gone with it")
        return 0

    raise typer.Exit(_alone(state, work))


def _plain_area(area: WatchedArea, notices: Sequence[Notice]) -> dict[str, Any]:
    """Return an area on the list as plain JSON values."""
    from revisit.plain import iso_time

    own = [notice for notice in notices if notice.area == area.name]
    wish = area.wish
    return {
        "name": area.name,
        "area": area.spec,
        "sensor": wish.sensor,
        "source": wish.source,
        "false_alarms_per_km2": wish.false_alarms_per_km2,
        "baseline": wish.baseline,
        "since": f"{wish.since}",
        "last_look": iso_time(area.last_look) if area.last_look else None,
        "last_outcome": area.last_outcome,
        "notices": len(own),
        "waiting_for_webhook": sum(notice.webhook == "waiting" for notice in own),
    }


@watch_app.command("list")
def list_areas(state: State = STATE, as_json: AsJson = False) -> None:
    """Show what is watched, what came of the last look, and what still waits to be delivered.

    Example: revisit watch list
    """
    from revisit.watch_store import open_state

    with open_state(state) as opened:
        notices = opened.notices()
        areas = [_plain_area(area, notices) for area in opened.areas()]
    if as_json:
        print_json({"state": str(state), "areas": areas})
        return
    for area in areas:
        outcome = area["last_outcome"] or f"{area['name']}: not looked at yet."
        typer.echo(one_line(f"{outcome} Last look: {area['last_look'] or 'none'}; {area['notices']} notice(s)."))
        if area["waiting_for_webhook"]:
            typer.echo(f"  {area['waiting_for_webhook']} wait for a webhook to take them")
    if not areas:
        typer.echo("nothing is watched; `revisit watch add AREA` begins it")


@watch_app.command("run")
def run_now(  # noqa: PLR0913 - the command line's options, one a parameter
    names: Names = None,
    *,
    state: State = STATE,
    feed: Feed = None,
    webhook: Hook = None,
    allow_private: Private = False,
    fail_on_change: FailOnChange = False,
    offline: Offline = False,
    max_units: MaxUnits = None,
    wait: Wait = 0.0,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Look once at all areas on the list, or at these, and tell what is new.

    Exit codes: 0 done, 1 done and --fail-on-change told a new change, 2 wrong input, 3 an area could not be looked at
    in full, a notice was not taken, or another call is at work: call again.

    Example: revisit watch run --feed changes.xml
    """
    from revisit.cli.watch_call import look_and_tell
    from revisit.watch_hook import webhook_of
    from revisit.watch_store import open_state

    hook = webhook_of(webhook, os.environ, allow_private=allow_private) if webhook else None

    def work() -> int:
        with open_state(state) as opened:
            return look_and_tell(
                opened,
                names or [],
                runs=out or state.absolute().parent / "runs",
                access=Access(offline=offline, most_units=max_units, watch=meter),
                feed=feed,
                webhook=hook,
                fail_on_change=fail_on_change,
                as_json=as_json,
            )

    raise typer.Exit(_alone(state, work, wait=wait))


@watch_app.command(BOTH, hidden=True)
def both(  # noqa: PLR0913 - the command line's options, one a parameter
    areas: Specs,
    *,
    state: State = STATE,
    sensor: Sensor = "auto",
    source: From = "auto",
    false_alarms: Alarms = 0.1,
    baseline: Baseline = 20,
    since: Since = None,
    feed: Feed = None,
    webhook: Hook = None,
    allow_private: Private = False,
    fail_on_change: FailOnChange = False,
    offline: Offline = False,
    max_units: MaxUnits = None,
    wait: Wait = 0.0,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Add the areas that are not on the list, and look at these. Those on the list stay as they were added."""
    from revisit.cli.watch_call import look_and_tell
    from revisit.watch_call import add_areas, names_of
    from revisit.watch_hook import webhook_of
    from revisit.watch_store import open_state

    hook = webhook_of(webhook, os.environ, allow_private=allow_private) if webhook else None
    wish = _wish(sensor=sensor, source=source, false_alarms=false_alarms, baseline=baseline, since=since)

    def work() -> int:
        with open_state(state, create=True) as opened:
            known, unknown = names_of(opened, areas)
            added = add_areas(opened, unknown, wish) if unknown else ()
            _say_added(opened, added)
            return look_and_tell(
                opened,
                [*known, *added],
                runs=out or state.absolute().parent / "runs",
                access=Access(offline=offline, most_units=max_units, watch=meter),
                feed=feed,
                webhook=hook,
                fail_on_change=fail_on_change,
                as_json=as_json,
            )

    raise typer.Exit(_alone(state, work, wait=wait, create=True))
