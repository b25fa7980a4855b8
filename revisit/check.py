"""Published claims held against imagery: from a file of claims to verdicts with their evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from imagery.datatake import one_per_pass
from imagery.errors import NoSceneError
from imagery.scene import Period, Scene
from imagery.sources.base import Found, Source
from revisit.chance import control
from revisit.claims import Claim, Claims
from revisit.comparing import FAILURES, Comparer, class_for
from revisit.errors import UsageError
from revisit.evidence import Verdict
from revisit.gathering import Gathered, Gatherer
from revisit.ground import Ground
from revisit.lookplan import Share, span
from revisit.pipeline import MARGIN_PX, ground_of, padded
from revisit.places import ClaimedArea, Place, claimed_areas, place_of
from revisit.scenes import Reader
from revisit.verdict import decide

PLACE_KM2 = 0.01
"""Ground to which a flag's chance refers."""
IN_PART = "the source answered in part: a pass that it did not name or give may decide otherwise"
NOTHING = Found(scenes=(), complete=True)

Tell = Callable[[str], None]
SourceOf = Callable[[Path], Source]
"""From the folder in which an area's answers are kept to the source that is asked."""


@dataclass(frozen=True, kw_only=True)
class CheckedArea:
    """An area with what was found out about its claims."""

    area: ClaimedArea
    ground: Ground
    scenes: tuple[Scene, ...]
    """One per pass of the time that its claims need, oldest first."""
    warnings: tuple[str, ...]
    complete: bool
    """False where the source answered in part, or failed on radar."""
    radar: str | None = None
    """Why radar could not bear on the claims of the area; None where it could."""


@dataclass(frozen=True, kw_only=True)
class Dossier:
    """A file of claims with what imagery says of each."""

    claims: Claims
    spec: str
    """What `--source` said."""
    areas: tuple[CheckedArea, ...]
    gathered: Mapping[str, Gathered]
    """By the claim's id."""
    verdicts: tuple[Verdict, ...]
    """In the order of the claims; of those that were decided."""
    failure: str | None = None
    """Why the source ended the check before its end."""

    @property
    def undecided(self) -> tuple[str, ...]:
        """Ids of the claims that the check did not come to."""
        decided = {verdict.id for verdict in self.verdicts}
        return tuple(claim.id for claim in self.claims.claims if claim.id not in decided)

    @property
    def complete(self) -> bool:
        """Whether every question was answered, and answered in full."""
        return self.failure is None and all(area.complete for area in self.areas)

    @property
    def simulated(self) -> bool:
        """Whether any scene was made by a program."""
        return any(scene.simulated for area in self.areas for scene in area.scenes)


@dataclass(kw_only=True)
class _Check:
    """A check under way."""

    claims: Claims
    spec: str
    folder: Path
    source_of: SourceOf
    tell: Tell
    areas: list[CheckedArea] = field(default_factory=list)
    gathered: dict[str, Gathered] = field(default_factory=dict)

    def run(self, areas: Sequence[ClaimedArea]) -> str | None:
        """Gather the evidence of all areas; return why the source ended that, if it did."""
        try:
            for area in areas:
                self._look_at(area)
        except FAILURES as error:
            return str(error)
        return None

    def _look_at(self, area: ClaimedArea) -> None:
        """Gather the evidence on the claims about one area."""
        source, ground = self.source_of(self.folder / "inputs" / area.slug), ground_of(area.aoi)
        places = {claim.id: place_of(claim, ground) for claim in area.claims}
        optical, (radar, absent, failed) = _search(source, area, "s2"), _search_radar(source, area)
        scenes = tuple(
            scene
            for found in (optical, radar)
            for scene in one_per_pass(found.scenes, aoi=area.aoi, crs=ground.grid.crs)[0]
        )
        self.tell(f"{area.where}: {_passes(scenes)} in the time that its claims need")
        gatherer = Gatherer(
            scenes=scenes,
            comparer=Comparer(
                area=area,
                source=source,
                spec=self.spec,
                folder=self.folder / "runs",
                classes=_classes(area.claims, places),
                tell=self.tell,
            ),
            share_in=_shares(source, ground, self.tell),
        )
        checked = CheckedArea(
            area=area,
            ground=ground,
            scenes=scenes,
            warnings=(*optical.warnings, *radar.warnings),
            complete=optical.complete and radar.complete and not failed,
            radar=absent,
        )
        self.areas.append(checked)
        # A surface is judged by any comparison of its dates: it comes last, and takes one that there is.
        for claim in sorted(area.claims, key=lambda claim: claim.kind == "surface"):
            self.gathered[claim.id] = gatherer.gather(claim, places[claim.id])
            if gatherer.radar_failed is not None:
                why = f"radar failed: {gatherer.radar_failed}"
                self.areas[-1] = replace(checked, complete=False, radar=why)


def _classes(claims: Sequence[Claim], places: Mapping[str, Place]) -> tuple[str, ...]:
    """Return the classes of objects that must be put into the images of an area."""
    wanted = (class_for(claim, places[claim.id]) for claim in claims if claim.kind != "state")
    return tuple(dict.fromkeys(name for name in wanted if name is not None))


def _search(source: Source, area: ClaimedArea, sensor: str) -> Found:
    """Search, once, all the time that the claims about an area need."""
    spans = [span(claim) for claim in area.claims]
    period = Period(start=min(start for start, _ in spans), end=max(end for _, end in spans))
    return source.search(area.aoi, [period], sensor=sensor)


def _search_radar(source: Source, area: ClaimedArea) -> tuple[Found, str | None, bool]:
    """Search radar; return what was found, why it cannot bear on the claims, and whether that is a failure."""
    try:
        found = _search(source, area, "s1")
    except NoSceneError as error:
        return NOTHING, f"no radar: {error}", False
    except FAILURES as error:
        return NOTHING, f"radar failed: {error}", True
    absent = None if found.scenes else f"no radar: {source.name} has no pass of Sentinel-1 in that time"
    return found, absent, False


def _passes(scenes: Sequence[Scene]) -> str:
    """Return how many passes there are, in words."""
    optical = sum(scene.sensor == "s2" for scene in scenes)
    return f"{optical} optical and {len(scenes) - optical} radar passes"


def _shares(source: Source, ground: Ground, tell: Tell) -> Callable[[Place], Share]:
    """Return how the valid share of a place on a scene is found; each scene is looked at once for each place."""
    readers: dict[bytes, Reader] = {}
    grid = ground.grid.padded(MARGIN_PX)

    def share_in(place: Place) -> Share:
        key = place.pixels.tobytes()
        if key not in readers:
            readers[key] = Reader(source=source, grid=grid, searched=padded(place.pixels), progress=tell)
        return readers[key].share

    return share_in


def _verdicts(check: _Check) -> tuple[Verdict, ...]:
    """Return the verdicts on all claims whose evidence was gathered, looked at together."""
    incomplete = {claim.id for one in check.areas if not one.complete for claim in one.area.claims}
    alone = []
    for claim in check.claims.claims:
        if (gathered := check.gathered.get(claim.id)) is None:
            continue
        verdict = decide(gathered.evidence, places=gathered.place.km2 / PLACE_KM2)
        if claim.id in incomplete:
            verdict = replace(verdict, reasons=(*verdict.reasons, IN_PART))
        alone.append(verdict)
    return control(alone)


def check_claims(claims: Claims, *, spec: str, folder: Path, source_of: SourceOf, tell: Tell) -> Dossier:
    """Hold claims against imagery.

    Parameters
    ----------
    claims
        Of one file: what chance alone gives is held down over all of them together.
    spec
        The words of `--source`, for the manifests.
    folder
        Gets the areas and the answers of the source below inputs/, the comparisons below runs/.
    source_of
        Asked once for each area.
    tell
        Told of each step.

    Returns
    -------
    Dossier
        Where the source failed on the way, with what was decided until then.

    Raises
    ------
    UsageError, aoi.AOIError, imagery.errors.ImageryError
        What the user can mend.
    """
    today = datetime.now(UTC).date()
    if late := [claim.id for claim in claims.claims if claim.start > today]:
        raise UsageError(f"{', '.join(late)}: the window begins in the future; today is {today} (UTC)")
    check = _Check(claims=claims, spec=spec, folder=folder, source_of=source_of, tell=tell)
    failure = check.run(claimed_areas(claims.claims, folder / "inputs"))
    return Dossier(
        claims=claims,
        spec=spec,
        areas=tuple(check.areas),
        gathered=check.gathered,
        verdicts=_verdicts(check),
        failure=failure,
    )
