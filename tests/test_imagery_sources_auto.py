"""All sources together: nobody's silence is an absence, and nobody's failure stops the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from aoi import AOI, Grid
from imagery.datatake import one_per_pass
from imagery.errors import (
    BudgetError,
    CredentialsError,
    GoneError,
    ImageryError,
    NoSceneError,
    SceneError,
    SourceError,
    UnreachableError,
)
from imagery.http import Client
from imagery.raster import Raster
from imagery.scene import Period, Scene
from imagery.sources.auto import AutoSource
from imagery.sources.base import Found, Source, Survey
from tests.passes import KHMEIMIM, MOMENT, OWN, scene
from tests.rasters import grid
from tests.servers import Fault, Server, start
from tests.servers.faults import FOR_EVER
from tests.world_sources import BANDS, GRID, cdse, day_of, earth_search, planetary_computer

_: type[Source] = AutoSource
PLACE = grid(width=4, height=3)
PERIODS = [Period(start=datetime(2024, 11, 1, tzinfo=UTC), end=datetime(2025, 1, 31, tzinfo=UTC))]


@dataclass
class Shelf:
    """A source with these scenes, whose pixels say whose they are."""

    name: str
    scenes: tuple[Scene, ...] = ()
    complete: bool = True
    warnings: tuple[str, ...] = ()
    error: ImageryError | None = None
    """Raised by a search."""
    broken: ImageryError | None = None
    """Raised by a reading."""
    value: float = 0.0
    read_ids: list[str] = field(default_factory=list)

    def search(self, aoi: AOI, periods: Sequence[Period], *, sensor: str) -> Found:
        assert (aoi, list(periods), sensor) == (KHMEIMIM, PERIODS, "s2")
        if self.error:
            raise self.error
        return Found(scenes=self.scenes, complete=self.complete, warnings=self.warnings)

    def survey(self, scene: Scene, grid: Grid) -> Survey | None:
        self.read(scene, grid, ())
        everywhere = np.full(grid.shape, self.value > 0)
        return Survey(usable=everywhere, possible=everywhere)

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> Raster:
        self.read_ids.append(scene.id)
        if self.broken:
            raise self.broken
        return Raster(
            data=np.full((len(bands), *grid.shape), self.value, np.float32),
            valid=np.ones(grid.shape, np.bool_),
            uncertain=np.zeros(grid.shape, np.bool_),
            grid=grid,
            bands=tuple(bands),
            quantity="reflectance",
            acquired=scene.acquired,
            scene_ids=(scene.id,),
            origin=scene,
        )


def es(day: int = 0) -> Scene:
    """Return a pass as Earth Search has it, so many days after the first."""
    return scene(f"es-{day}", acquired=MOMENT + timedelta(days=day))


def pc(day: int = 0) -> Scene:
    """Return the same as the Planetary Computer has it."""
    return scene(f"pc-{day}", source="planetary-computer", acquired=MOMENT + timedelta(days=day, minutes=-4))


def seen(day: int = 0) -> Scene:
    """Return the same as the witness knows it."""
    return scene(f"seen-{day}", source="cdse", acquired=MOMENT + timedelta(days=day, minutes=-4), assets={})


def shelves(**changed: Shelf) -> dict[str, Shelf]:
    """Return two sources and a witness that have one pass."""
    return {
        "one": Shelf("earth-search", (es(),), value=1),
        "two": Shelf("planetary-computer", (pc(),), value=2),
        "witness": Shelf("cdse", (seen(),)),
        **changed,
    }


def ask(of: dict[str, Shelf]) -> Found:
    """Search all of them."""
    return AutoSource([of["one"], of["two"]], witness=of["witness"]).search(KHMEIMIM, PERIODS, sensor="s2")


def chosen(found: Found) -> Scene:
    """Return the only pass."""
    (one,), _reasons = one_per_pass(found.scenes, aoi=KHMEIMIM, crs=OWN)
    return one


def test_every_source_is_asked_and_says_what_it_had() -> None:
    found = ask(shelves(two=Shelf("planetary-computer", (pc(), pc(5)))))
    assert [scene.id for scene in found.scenes] == ["pc-0", "es-0", "pc-5"]
    assert [(one.name, one.scenes, one.complete) for one in found.asked] == [
        ("earth-search", 1, True),
        ("planetary-computer", 2, True),
        ("cdse", 1, True),
    ]
    assert (found.complete, found.warnings) == (True, ())
    assert "witness" in found.asked[2].note


@pytest.mark.parametrize("error", [SourceError("504"), CredentialsError("log in"), SceneError("odd"), BudgetError("x")])
def test_a_source_that_fails_or_wants_an_account_is_named_and_the_others_go_on(error: ImageryError) -> None:
    found = ask(shelves(one=Shelf("earth-search", error=error)))
    assert [scene.id for scene in found.scenes] == ["pc-0"]
    assert found.complete
    assert found.warnings[0] == f"earth-search did not answer: {error}"
    assert (found.asked[0].complete, found.asked[0].note) == (False, str(error))


def test_absence_never_rests_on_one_catalogue() -> None:
    nothing = Shelf("earth-search"), Shelf("planetary-computer"), Shelf("cdse")
    failing = Shelf("planetary-computer", error=SourceError("504")), Shelf("cdse", complete=False)
    both = ask({"one": nothing[0], "two": nothing[1], "witness": failing[1]})
    assert (both.scenes, both.complete) == ((), True)
    with_witness = ask({"one": nothing[0], "two": failing[0], "witness": nothing[2]})
    assert (with_witness.scenes, with_witness.complete) == ((), True)
    alone = ask({"one": nothing[0], "two": failing[0], "witness": failing[1]})
    assert (alone.scenes, alone.complete) == ((), False)
    assert alone.asked[2].note.endswith("answered in part")


def test_a_source_without_such_images_is_no_failure_and_no_answer() -> None:
    found = ask(shelves(one=Shelf("earth-search", error=NoSceneError("no radar"))))
    assert (found.warnings, found.complete, found.asked[0].note) == ((), True, "no radar")


def test_passes_without_pixels_are_said() -> None:
    known = tuple(seen(day) for day in range(0, 40, 5))
    found = ask(shelves(witness=Shelf("cdse", known)))
    (line,) = found.warnings
    assert line.startswith("cdse knows 7 pass(es) of which no source that answered has pixels: 2024-12-12 08:22")
    assert line.endswith(" and 2 more")


def test_nobody_at_all_is_an_error_that_names_everyone() -> None:
    down = {name: Shelf(name, error=UnreachableError("no route")) for name in ("one", "two", "witness")}
    with pytest.raises(UnreachableError, match=r"no source answered.* one: no route; two: no route"):
        ask(down)
    down["one"].error = SourceError("504")
    with pytest.raises(SourceError, match="one: 504; two: no route"):
        ask(down)


def test_pixels_come_from_whom_the_scene_names() -> None:
    of = shelves()
    auto = AutoSource([of["one"], of["two"]], witness=None)
    assert auto.read(es(), PLACE, BANDS).data.max() == 1
    assert auto.read(pc(), PLACE, BANDS).data.max() == 2
    survey = auto.survey(pc(), PLACE)
    assert survey
    assert survey.usable.all()


@pytest.mark.parametrize(
    "error", [SourceError("504"), GoneError("404"), SceneError("unclear"), CredentialsError("log")]
)
def test_a_twin_serves_where_the_pixels_fail_for_good_and_that_is_noted(error: ImageryError) -> None:
    of = shelves()
    of["one"].broken = error
    auto = AutoSource([of["one"], of["two"]], witness=None)
    one = chosen(ask(of))
    raster = auto.read(one, PLACE, BANDS)
    assert (one.id, raster.scene_ids, raster.data.max()) == ("es-0", ("pc-0",), 2)
    assert raster.origin
    assert (raster.origin.source, raster.origin.notes) == (
        "planetary-computer",
        (f"earth-search: es-0: {error}; pc-0 of planetary-computer was read instead",),
    )
    survey = auto.survey(one, PLACE)
    assert survey
    assert survey.usable.all()


def test_a_source_out_of_reach_is_tried_last_from_then_on() -> None:
    of = shelves()
    of["one"].broken = UnreachableError("no route")
    auto = AutoSource([of["one"], of["two"]], witness=None)
    one = chosen(ask(of))
    first, second = (auto.read(one, PLACE, BANDS) for _ in range(2))
    assert of["one"].read_ids == ["es-0"]
    assert first.origin
    assert second.origin
    assert "no route" in first.origin.notes[0]
    assert second.origin.notes == (
        "earth-search: es-0: was out of reach before; pc-0 of planetary-computer was read instead",
    )
    of["two"].broken = SourceError("504")
    with pytest.raises(SourceError, match=r"504.*no route"):
        auto.read(one, PLACE, BANDS)


def test_where_no_twin_can_be_read_all_reasons_are_given() -> None:
    of = shelves()
    of["one"].broken, of["two"].broken = GoneError("404"), SourceError("504")
    with pytest.raises(GoneError, match="earth-search: es-0: 404; planetary-computer: pc-0: 504"):
        AutoSource([of["one"], of["two"]], witness=None).read(chosen(ask(of)), PLACE, BANDS)


def test_a_budget_is_not_spent_elsewhere() -> None:
    of = shelves()
    of["one"].broken = BudgetError("too dear")
    with pytest.raises(BudgetError):
        AutoSource([of["one"], of["two"]], witness=None).read(chosen(ask(of)), PLACE, BANDS)
    assert of["two"].read_ids == []


def test_a_scene_of_nobody_is_refused() -> None:
    with pytest.raises(SceneError, match="none of earth-search"):
        AutoSource([Shelf("earth-search")], witness=None).read(pc(), PLACE, BANDS)


def test_a_broken_page_and_a_dead_bucket_still_give_the_ground() -> None:
    day = "2024-11-30"
    with start("world", days=[day]) as world, Client() as client:
        sources = earth_search(world, client), planetary_computer(world, client)
        auto = AutoSource(sources, witness=cdse(world, client))
        world.fault("POST /cdse/*", [Fault(status=200, body=b'{"message": "oops"}', times=FOR_EVER)])
        found = auto.search(KHMEIMIM, day_of(day), sensor="s2")
        assert (found.complete, [one.complete for one in found.asked]) == (True, [True, True, False])
        one = one_per_pass(found.scenes, aoi=KHMEIMIM, crs=OWN)[0][0]
        world.fault("*/sentinel-2-c1-l2a/*", [Fault(status=404, times=FOR_EVER)])
        raster = auto.read(one, GRID, BANDS)
    assert raster.valid.all()
    assert raster.origin
    assert raster.origin.source == "planetary-computer"
    assert "was read instead" in raster.origin.notes[0]


def unreachable(server: Server) -> Server:
    """Return a server that has gone."""
    server.stop()
    return server


def test_with_nothing_reachable_it_is_said_soon() -> None:
    gone = unreachable(start("blank"))
    with Client() as client:
        sources = earth_search(gone, client), planetary_computer(gone, client)
        with pytest.raises(UnreachableError, match="nothing is known"):
            AutoSource(sources, witness=cdse(gone, client)).search(KHMEIMIM, day_of("2024-11-30"), sensor="s2")
