"""One call of a watch: every area looked at, one at a time, by one call at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from aoi import AOI, AOIError
from aoi.formats import load_area
from aoi.geojson import area_as_geojson
from aoi.names import slug
from detect.errors import DetectError
from imagery.errors import ImageryError
from revisit.errors import UsageError
from revisit.outputs import check_parent
from revisit.pipeline import ground_of
from revisit.recipe import Recipe, check_recipe
from revisit.sources import Access, check_source, open_source
from revisit.watch_look import Tell, look_at
from revisit.watch_store import WatchState
from revisit.watch_values import AreaLook, WatchedArea, WatchWish
from revisit.watch_words import outcome


class BusyError(Exception):
    """Another call is at work on the same state."""


@dataclass(frozen=True, kw_only=True)
class LookDone:
    """A look at an area, and what was said of it."""

    look: AreaLook
    said: str


@contextmanager
def alone(path: Path, *, wait_s: float = 0.0) -> Iterator[None]:
    """Hold a state against other calls. The system lets go of it when the process ends, however that comes about.

    Raises
    ------
    BusyError
        Where another call holds it for longer than `wait_s`, seconds.
    UsageError
        Where nothing can be held in that folder.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=wait_s, mode=0o600)
    try:
        lock.acquire()
    except Timeout as error:
        raise BusyError(f"another call is at work on {path}: nothing was done; call again, or give --wait") from error
    except (OSError, NotImplementedError) as error:
        raise UsageError(f"{path} cannot be locked against other calls ({error}); give another --state") from error
    try:
        yield
    finally:
        lock.release()


def _anchored(source: str) -> str:
    """Return a source that means the same from every folder: cron calls from another one."""
    kind, colon, rest = source.partition(":")
    return f"{kind}{colon}{Path(rest).expanduser().absolute()}" if kind == "folder" and rest else source


def _anchored_area(spec: str) -> str:
    """Return the area's name, or its file's whole path."""
    return f"{Path(spec).expanduser().absolute()}" if Path(spec).exists() else spec


def _checked(spec: str, wish: WatchWish) -> AOI:
    """Return an area that can be watched as wished."""
    if wish.since > datetime.now(UTC).date():
        raise UsageError(f"--since ({wish.since}) lies in the future")
    # The days are those of no comparison: everything else of a recipe is checked by the one rule that there is.
    recipe = Recipe(
        area=spec,
        before=date(2020, 1, 1),
        after=date(2020, 1, 2),
        sensor=wish.sensor,
        source=wish.source,
        baseline=wish.baseline,
        false_alarms_per_km2=wish.false_alarms_per_km2,
    )
    check_recipe(recipe, today=datetime.now(UTC).date())
    check_source(wish.source)
    aoi = load_area(spec)
    ground_of(aoi)
    return aoi


def add_areas(state: WatchState, specs: Sequence[str], wish: WatchWish) -> tuple[str, ...]:
    """Put areas on the list; all of them, or, where one cannot be watched, none.

    Parameters
    ----------
    state
        Where they are kept, as they are now.
    specs
        Built-in sites or area files.
    wish
        How they are to be watched.

    Returns
    -------
    names
        In the order of `specs`.

    Raises
    ------
    UsageError, aoi.AOIError
        Where one of them cannot be watched.
    """
    anchored = replace(wish, source=_anchored(wish.source))
    loaded = [(spec, _checked(spec, anchored)) for spec in specs]
    taken = {slug(area.name): area.name for area in state.areas()}
    for _, aoi in loaded:
        other = taken.get(slug(aoi.name))
        if other is not None:
            more = "" if other == aoi.name else f" (as {other!r}, whose runs have the same names)"
            raise UsageError(
                f"{aoi.name!r} is on the list already{more}; `revisit watch remove` it to watch it in another way, or"
                " give the area another name"
            )
        taken[slug(aoi.name)] = aoi.name
    for spec, aoi in loaded:
        state.add(aoi.name, _anchored_area(spec), area_as_geojson(aoi), anchored)
    return tuple(aoi.name for _, aoi in loaded)


def names_of(state: WatchState, specs: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the names on the list that areas have, and those of the areas that are not on it."""
    listed = {area.name: area for area in state.areas()}
    names = [(spec, spec if spec in listed else load_area(spec).name) for spec in specs]
    return [name for _, name in names if name in listed], [spec for spec, name in names if name not in listed]


def _failed(area: WatchedArea, error: Exception) -> AreaLook:
    return AreaLook(name=area.name, problems=(" ".join(str(error).split()).rstrip("."),))


def _look(area: WatchedArea, state: WatchState, access: Access, *, runs: Path, webhook: bool, tell: Tell) -> AreaLook:
    """Look at one area; what keeps from looking at it keeps from nothing else."""
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(open_source(area.wish.source, access))
        except UsageError as error:
            return _failed(area, error)
        try:
            now = datetime.now(UTC)
            look = look_at(area, opened.source, state, runs=runs, now=now, webhook=webhook, tell=tell)
        except (ImageryError, DetectError, AOIError) as error:
            return _failed(area, error)
        return replace(look, warnings=(*look.warnings, *opened.notes()))


def run_watch(
    state: WatchState,
    areas: Sequence[WatchedArea],
    *,
    runs: Path,
    access: Access,
    webhook: bool,
    tell: Tell,
    done: Callable[[LookDone], None],
) -> bool:
    """Look once at each area.

    Parameters
    ----------
    state
        Held by this call alone.
    areas
        To be looked at.
    runs
        Folder for the runs.
    access
        How the network may be used.
    webhook
        Whether what is new is to be sent.
    tell
        Told of each step.
    done
        Told of each area when it was looked at.

    Returns
    -------
    bool
        Whether every area could be looked at in full.

    Raises
    ------
    UsageError
        Where the state or a run cannot be written.
    """
    check_parent(runs / "run")
    whole = True
    for area in areas:
        look = _look(area, state, access, runs=runs, webhook=webhook, tell=tell)
        said = outcome(look, datetime.now(UTC))
        state.note_look(area, said)
        whole = whole and not look.problems
        done(LookDone(look=look, said=said))
    return whole
