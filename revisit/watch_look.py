"""One look at a watched area: what is new, compared with what was there before, and kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from aoi import AOI
from aoi.assemble import area_from_outlines
from aoi.geojson import read_geojson
from aoi.names import slug
from detect.errors import DetectError
from imagery.burn import outline
from imagery.datatake import one_per_pass
from imagery.errors import ImageryError, InsufficientImageryError, SourceError
from imagery.scene import Scene
from imagery.select import LEAST
from imagery.sources.base import Source
from revisit.errors import UsageError
from revisit.ground import Ground
from revisit.outputs import write_run
from revisit.pipeline import MARGIN_PX, ground_of, padded, run
from revisit.recipe import Recipe
from revisit.result import Flag, Result
from revisit.scenes import Reader
from revisit.watch_notice import Told, notice_of
from revisit.watch_pair import PairSource
from revisit.watch_plan import (
    GIVEN_UP,
    Plan,
    Task,
    known_of,
    look_from,
    one_level,
    plan_looks,
    reported_as,
    search_period,
)
from revisit.watch_store import WatchState
from revisit.watch_values import (
    SENSORS_OF,
    AreaLook,
    Compared,
    Judgement,
    KnownPass,
    NewChange,
    SeenPass,
    WatchedArea,
)
from revisit.wording import by_chance

Tell = Callable[[str], None]


def kept_area(area: WatchedArea) -> AOI:
    """Return the area as it was when it was added."""
    aoi = area_from_outlines(read_geojson(area.geojson.encode()), area.name)
    return replace(aoi, name=area.name)


def _line(error: Exception) -> str:
    """Return an error as one line without an end."""
    return " ".join(str(error).split()).rstrip(".")


def _is_final(error: Exception) -> bool:
    """Return whether the imagery itself cannot be compared, so that trying again would end the same."""
    kinds = (InsufficientImageryError, DetectError)
    return isinstance(error, kinds) or (isinstance(error, UsageError) and isinstance(error.__cause__, kinds))


@dataclass(kw_only=True)
class _Looker:
    """A look at one area with one sensor."""

    area: WatchedArea
    sensor: str
    ground: Ground
    source: Source
    state: WatchState
    runs: Path
    webhook: bool
    tell: Tell
    known: tuple[KnownPass, ...] = ()
    listed: tuple[KnownPass, ...] = ()
    fresh: set[str] = field(default_factory=set)
    """Ids of scenes that were looked at now."""
    seen: dict[str, SeenPass | None] = field(default_factory=dict)
    compared: list[Compared] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    plan: Plan | None = None
    newest: datetime | None = None
    """When the newest pass that is listed was taken."""
    start: datetime | None = None
    """From when on passes are new."""

    def look(self, now: datetime) -> None:
        """Look at what is new.

        Raises
        ------
        SourceError
            Where the source failed; what was compared until then is kept.
        """
        wish = self.area.wish
        self.known = self.state.passes(self.area, self.sensor)
        self.listed = self.known
        settled = self.state.settled(self.area, self.sensor)
        period = search_period(wish.since, settled, now)
        found = self.source.search(self.ground.aoi, [period], sensor=self.sensor)
        self.warnings += found.warnings
        if not found.complete:
            said = "; ".join(found.warnings[:2]) or "it did not say why"
            raise SourceError(f"the source answered in part, so that a new pass may be missing: {said}")
        scenes, _ = one_per_pass(found.scenes, aoi=self.ground.aoi, crs=self.ground.grid.crs)
        scenes = one_level(scenes)
        self.listed = (*self.known, *(_as_known(scene) for scene in scenes if known_of(scene, self.known) is None))
        self.newest = max((scene.acquired for scene in scenes), default=None)
        self.start = look_from(wish.since, settled)
        self.plan = plan_looks(scenes, start=self.start, judged=self.state.judged(self.area), look=self._seen)
        for task in self.plan.tasks:
            self._compare(task)
        if self.newest is not None and not self.problems:
            self.state.settle(self.area, self.sensor, self.newest)

    def _trouble(self, scene: Scene, text: str) -> None:
        """Keep in mind what could not be looked at: a new pass is waited for, not for ever; a reference is not."""
        if self.start is not None and scene.acquired < self.start:
            self.warnings.append(f"{text}; compared with another pass")
        elif self.newest is not None and self.newest - scene.acquired > GIVEN_UP:
            self.warnings.append(f"{text}; not waited for any longer")
        else:
            self.problems.append(text)

    def _seen(self, scene: Scene) -> SeenPass | None:
        """Return how much of a pass is valid; None where it could not be looked at. Each is looked at once, ever.

        One of which too little was valid is looked at again in another product: half of it may have been missing.
        """
        if scene.id not in self.seen:
            known = known_of(scene, self.known)
            if known is not None and (known.share >= LEAST or known.scene == scene.id):
                self.seen[scene.id] = SeenPass(
                    key=known.key, scene=scene, acquired=known.acquired, share=known.share, refused=known.refused
                )
            else:
                self.seen[scene.id] = self._first_look(scene, known)
        return self.seen[scene.id]

    def _first_look(self, scene: Scene, known: KnownPass | None) -> SeenPass | None:
        """Read how much of a pass is valid, and keep it."""
        grid = self.ground.grid.padded(MARGIN_PX)
        reader = Reader(source=self.source, grid=grid, searched=padded(self.ground.searched), progress=self.tell)
        share = reader.share(scene)
        if scene.id in reader.problems:
            self._trouble(scene, f"{scene.id}: {_line(reader.problems[scene.id])}")
            return None
        key = self.state.keep_pass(self.area, scene, share, known)
        self.fresh.add(scene.id)
        acquired = known.acquired if known else scene.acquired
        return SeenPass(key=key, scene=scene, acquired=acquired, share=share)

    def _compare(self, task: Task) -> None:
        """Compare two passes and keep what that shows; what may end otherwise another time is not kept."""
        before, after = task.before, task.after
        pair = f"{before.scene.id} with {after.scene.id}"
        self.tell(f"comparing {pair} at {self.area.name}")
        try:
            result = self._run(before.scene, after.scene)
        except SourceError:
            raise
        except (ImageryError, DetectError, UsageError) as error:
            if _is_final(error):
                self._refuse(task, _line(error))
            else:
                self._trouble(after.scene, f"{pair}: {_line(error)}")
            return
        if not result.complete:
            self.problems.append(f"{pair}: the source answered in part when it was asked for the baseline")
            return
        self._keep(task, result)

    def _run(self, before: Scene, after: Scene) -> Result:
        """Compare two scenes."""
        wish = self.area.wish
        recipe = Recipe(
            area=self.area.spec,
            before=before.acquired.date(),
            after=after.acquired.date(),
            sensor=self.sensor,
            source=wish.source,
            within_days=0,
            baseline=wish.baseline,
            false_alarms_per_km2=wish.false_alarms_per_km2,
        )
        source = PairSource(source=self.source, before=before, after=after)
        return run(recipe, aoi=self.ground.aoi, source=source, progress=self.tell)

    def _refuse(self, task: Task, reason: str) -> None:
        """Keep that two passes cannot be compared; the later one then serves as no reference."""
        before, after = task.before, task.after
        refusal = Judgement(
            area=self.area.key, before=before, after=after, run="", flags=0, by_chance=0.0, refused=reason
        )
        self.state.record(refusal, webhook=False)
        self.compared.append(Compared(before=before, after=after, new=0, again=0, valid_share=0.0, refused=reason))

    def _keep(self, task: Task, result: Result) -> None:
        """Write the run, then keep the comparison with its changes and what is told of them in one transaction.

        A kill in between leaves a run that the next call makes again, byte for byte but for its times.
        """
        before, after = task.before, task.after
        new, again = self._sorted(task, result)
        folder = self.runs / run_name(self.area.name, before, after)
        write_run(result, folder)
        comparisons, chance = self.state.chance_so_far(self.area)
        told = Told(
            id=self.state.notice_id(self.area, before, after),
            result=result,
            before=before,
            after=after,
            new=tuple(flag for flag, _ in new),
            again=len(again),
            run=folder,
            so_far=(comparisons + 1, chance + by_chance(result)),
        )
        judgement = Judgement(
            area=self.area.key,
            before=before,
            after=after,
            run=folder.name,
            flags=len(result.flags),
            by_chance=by_chance(result),
            new=tuple(change for _, change in new),
            seen_again=tuple(again),
            notice=notice_of(told) if new else None,
        )
        self.state.record(judgement, webhook=self.webhook)
        share = result.searched_valid_share
        self.compared.append(Compared(before=before, after=after, new=len(new), again=len(again), valid_share=share))

    def _sorted(self, task: Task, result: Result) -> tuple[list[tuple[Flag, NewChange]], list[tuple[str, str]]]:
        """Return the flags that are new, and those of changes that were reported before."""
        reported = self.state.reported(self.area, task.before.acquired, task.after.acquired)
        new, again = [], []
        for flag in result.flags:
            shape = outline(flag.object.rows, flag.object.cols, result.grid)
            sign = flag.object.change
            known = reported_as(shape, sign, reported, crs=result.grid.crs, gsd=result.grid.gsd)
            if known is None:
                new.append((flag, NewChange(flag=flag.id, sign=sign, outline=shape)))
            else:
                again.append((flag.id, known))
        return new, again


def run_name(name: str, before: SeenPass, after: SeenPass) -> str:
    """Return the name of a comparison's folder: by the second, since radar passes twice on one day."""
    return f"{slug(name)}_{after.scene.sensor}_{before.acquired:%Y%m%dT%H%M%S}_{after.acquired:%Y%m%dT%H%M%S}"


def _as_known(scene: Scene) -> KnownPass:
    """Return a pass that is only listed."""
    return KnownPass(
        key=0,
        sensor=scene.sensor,
        acquired=scene.acquired,
        platform=scene.platform,
        orbit=scene.relative_orbit,
        scene=scene.id,
        share=0.0,
    )


def _summed(name: str, lookers: Sequence[_Looker]) -> AreaLook:
    """Return what came of the looks with each sensor."""
    plans = [(looker, looker.plan) for looker in lookers if looker.plan is not None]
    return AreaLook(
        name=name,
        compared=tuple(one for looker in lookers for one in looker.compared),
        clouded=tuple(one for looker, plan in plans for one in plan.clouded if one.scene.id in looker.fresh),
        alone=tuple(one for looker, plan in plans for one in plan.alone if one.scene.id in looker.fresh),
        problems=tuple(dict.fromkeys(text for looker in lookers for text in looker.problems)),
        warnings=tuple(dict.fromkeys(text for looker in lookers for text in looker.warnings)),
        passes=tuple(sorted((p for looker in lookers for p in looker.listed), key=lambda one: one.acquired)),
    )


def look_at(
    area: WatchedArea, source: Source, state: WatchState, *, runs: Path, now: datetime, webhook: bool, tell: Tell
) -> AreaLook:
    """Look at a watched area once, with each of its sensors.

    Parameters
    ----------
    area
        What to look at, and how.
    source
        Where to search.
    state
        What is known; every comparison is kept in it as soon as it is made.
    runs
        Folder for the runs.
    now
        Until when to search, UTC.
    webhook
        Whether notices are to be sent.
    tell
        Told of each step.

    Raises
    ------
    UsageError
        Where the state or a run cannot be written.
    """
    ground = ground_of(kept_area(area))
    lookers = []
    for sensor in SENSORS_OF[area.wish.sensor]:
        looker = _Looker(
            area=area,
            sensor=sensor,
            ground=ground,
            source=source,
            state=state,
            runs=runs,
            webhook=webhook,
            tell=tell,
        )
        lookers.append(looker)
        try:
            looker.look(now)
        except ImageryError as error:
            looker.problems.append(_line(error))
    return _summed(area.name, lookers)
