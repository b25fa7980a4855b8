"""The report in a real browser: from disk, at three widths, in both schemes, by mouse, by keyboard and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser
from shapely.geometry import Point

from aoi.geometry import to_lonlat
from imagery.raster import Raster
from revisit.report import render
from revisit.result import Result
from tests.attack import HOSTILE, hostile_result
from tests.browsing import Visit, launched, picture, serious_findings, visiting
from tests.standin import AFTER, BEFORE, blob, make_flags, make_grid, make_raster, make_result

WIDTHS = (375, 1280, 2560)
RED, BLUE = (0.3, 0.02, 0.02), (0.02, 0.02, 0.3)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return one browser for all tests."""
    with launched() as found:
        yield found


def _plain(acquired: datetime, shade: tuple[float, float, float]) -> Raster:
    """Return even ground of one colour (red, green, blue), with one pixel of the opposite kind at row 20, column 30."""
    red, green, blue = shade
    data = np.empty((4, 60, 80), np.float32)
    data[:] = np.array([blue, green, red, 0.1])[:, None, None]
    data[:, 20, 30] = 0.3
    return make_raster(make_grid(), acquired, data=data)


def _coloured(**changes: object) -> Result:
    """Return a result whose before is red and whose after is blue, with a 4 x 4 flag around row 20, column 30."""
    flags = make_flags([blob(19, 29, side=4), blob(50, 70, change="vanished", scale="area")], zone="apron-north")
    fields: dict[str, Any] = {"before": _plain(BEFORE, RED), "after": _plain(AFTER, BLUE), "flags": flags, **changes}
    return make_result(**fields)


def _file(folder: Path, result: Result) -> str:
    """Write the report and return its address on disk."""
    path = folder / "report.html"
    path.write_text(render(result), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Visit]:
    """Return the open report of `_coloured`."""
    with visiting(browser, _file(tmp_path, _coloured()), reduced_motion="no-preference") as found:
        yield found
        assert found.complaints == []
        assert len(found.asked) == 1


def _filled(visit: Visit) -> None:
    """Wait until all that is made after the map is there."""
    visit.page.wait_for_function("() => !document.querySelector('noscript')")
    visit.settle()


def _stage(visit: Visit) -> dict[str, float]:
    """Return where the map is on the screen, after scrolling there."""
    visit.page.locator("#stage").scroll_into_view_if_needed()
    box = visit.page.locator("#stage").bounding_box()
    assert box
    return {"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]}


def _is(colour: str, pixels: np.ndarray) -> bool:
    """Return whether all pixels (..., 3) are of a colour's kind."""
    red, blue = pixels[..., 0].astype(int), pixels[..., 2].astype(int)
    return bool(((red - blue) * (1 if colour == "red" else -1) > 60).all())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_is_whole_and_quiet(browser: Browser, tmp_path: Path, width: int, scheme: str) -> None:
    address = _file(tmp_path, _coloured(simulated=True))
    window = {"width": width, "height": 900}
    with visiting(browser, address, viewport=window, color_scheme=scheme) as visit:
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        assert visit.page.locator("#still").is_hidden()
        assert float(visit.data("k")) > 1
        _filled(visit)
        assert serious_findings(visit.page) == []
        assert visit.asked == [address]
        assert visit.complaints == []


def test_the_first_screen_of_a_phone_has_the_gist(browser: Browser, tmp_path: Path) -> None:
    warned = _coloured(warnings=("haze on one date", "half of the sky is missing"))
    with visiting(browser, _file(tmp_path, warned), viewport={"width": 375, "height": 812}) as visit:
        heads = visit.page.locator(".caveat > summary")
        for words in (visit.page.locator(".summary"), heads.first, heads.last):
            box = words.bounding_box()
            assert box
            assert box["y"] + box["height"] <= 812
        assert [one.evaluate("node => node.parentNode.open") for one in heads.all()] == [True] + [False] * (
            heads.count() - 1
        )
        heads.last.click()
        assert "half of the sky is missing" in visit.page.locator(".caveats").inner_text()


def test_cards_are_made_after_the_map_but_at_once_where_they_are_wanted(browser: Browser, tmp_path: Path) -> None:
    address = _file(tmp_path, _coloured())
    context = browser.new_context(viewport={"width": 1280, "height": 400})
    # A browser that has nothing but scrolling and clicks to go by.
    context.add_init_script("window.requestIdleCallback = undefined")
    page = context.new_page()
    page.goto(address)
    page.wait_for_function("() => document.getElementById('stage').dataset.k > 0")
    assert page.locator("#F2 svg").count() == 0
    page.locator("#list [data-flag=F2]").click()
    assert page.locator("#inspector svg").count() == 4
    assert page.locator("#F2 svg").count() == 4
    page.locator("#F1").scroll_into_view_if_needed()
    page.wait_for_function("() => document.querySelectorAll('#F1 svg').length === 4")
    page.locator("#F1 .to-map").click()
    assert page.locator("#stage").get_attribute("data-selected") == "F1"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#still svg.pixels").count() == 2
    assert page.locator("noscript").count() == 0
    context.close()


def test_on_a_wide_screen_and_on_paper_no_caveat_is_folded(browser: Browser, tmp_path: Path) -> None:
    address = _file(tmp_path, _coloured(warnings=("haze on one date",)))
    for options in ({}, {"java_script_enabled": False}):
        with visiting(browser, address, **options) as visit:
            if options:
                visit.page.emulate_media(media="print")
            assert visit.page.get_by_text("haze on one date").is_visible()
            assert visit.page.locator(".caveat p").first.is_visible()


def test_a_picture_of_the_whole_page_shows_every_card(browser: Browser, tmp_path: Path) -> None:
    items = [blob(k % 55, (7 * k) % 75) for k in range(120)]
    with visiting(browser, _file(tmp_path, replace(_coloured(), flags=make_flags(items)))) as visit:
        shown = "one.firstElementChild.checkVisibility({ contentVisibilityAuto: true })"
        cards = "[...document.querySelectorAll('article, #list li')]"
        visit.page.wait_for_function(f"() => {cards}.every((one) => {shown})")
        assert visit.page.locator("article .chips svg").count() == 4 * 120


def test_of_many_flags_only_the_strongest_are_labelled(browser: Browser, tmp_path: Path) -> None:
    items = [blob(2 + 2 * (k // 20), 2 + 3 * (k % 20), side=1) for k in range(388)]
    address = _file(tmp_path, replace(_coloured(), flags=make_flags(items)))
    for width in (375, 1280):
        with visiting(browser, address, viewport={"width": width, "height": 900}) as visit:
            visit.settle()
            assert 4 <= int(visit.data("labels")) <= 60


def test_radar_is_shown_in_polarisations_and_both_dates_in_one(browser: Browser, tmp_path: Path) -> None:
    power = np.full((2, 60, 80), 0.05, np.float32)
    later = power.copy()
    later[:, 10:50, 10:70] = 2.0
    before, after = (
        make_raster(make_grid(), when, bands=("VV", "VH"), data=data, quantity="gamma0")
        for when, data in ((BEFORE, power), (AFTER, later))
    )
    address = _file(tmp_path, make_result(flags=(), zones=(), before=before, after=after))
    with visiting(browser, address) as visit:
        visit.page.locator("#position").fill("0")
        for choice, title in (("both", "Both dates in one"), ("false", "After 2024-12-15 08:22 UTC")):
            visit.page.locator("#colour").select_option(choice)
            visit.page.wait_for_timeout(200)
            assert visit.page.locator(".map-tag.right").inner_text() == title
            shown = picture(visit.page.locator("#stage")).astype(int)
            middle = shown[shown.shape[0] // 2 - 40, shown.shape[1] // 2]
            assert bool(middle[0] > middle[1] + 60) is (choice == "both")
        assert "dB" in visit.page.locator(".legend").inner_text()
        _filled(visit)
        assert visit.complaints == []
        assert serious_findings(visit.page) == []


def test_the_swipe_shows_before_on_its_left_and_after_on_its_right(visit: Visit) -> None:
    visit.page.locator("#labels-on").uncheck()
    for share in (25, 80):
        visit.page.locator("#position").fill(str(share))
        visit.settle()
        shown = picture(visit.page.locator("#stage"))
        middle = shown[shown.shape[0] // 3]
        line = round(shown.shape[1] * share / 100)
        inside = slice(shown.shape[1] // 8, -shown.shape[1] // 8)
        left, right = middle[inside][: line - shown.shape[1] // 8 - 12], middle[line + 12 :][: -shown.shape[1] // 8]
        assert _is("red", left[:40])
        assert _is("blue", right[-40:])
        assert visit.data("at") == f"{share / 100:.3f}"


def test_the_line_is_dragged_with_the_mouse(visit: Visit) -> None:
    box = _stage(visit)
    visit.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    visit.page.mouse.down()
    visit.page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] / 2, steps=4)
    visit.page.mouse.up()
    assert float(visit.data("at")) == pytest.approx(0.3, abs=0.01)
    assert visit.page.locator("#position").input_value() == "30"


def test_a_flag_in_the_list_is_centred_and_its_numbers_are_shown(visit: Visit) -> None:
    visit.page.locator("#list [data-flag=F2]").click()
    assert (float(visit.data("x")), float(visit.data("y"))) == (71, 51)
    assert visit.data("selected") == "F2"
    words = visit.page.locator("#inspector").inner_text()
    assert "F2: vanished" in words
    for fact in ("20 x 20 m", "400 m²", "+0.080", "uncalibrated", "drawn, not seen: Il-76 here, after"):
        assert fact in words, fact
    assert visit.page.locator("#inspector svg").count() == 4


def test_a_flag_is_chosen_on_the_map(visit: Visit) -> None:
    box = _stage(visit)
    k = float(visit.data("k"))
    x, y = box["x"] + box["width"] / 2 + (31 - 40) * k, box["y"] + box["height"] / 2 + (21 - 30) * k
    visit.page.mouse.click(x, y)
    assert visit.data("selected") == "F1"
    assert visit.page.locator("#list [data-flag=F1]").get_attribute("aria-pressed") == "true"
    assert (float(visit.data("x")), float(visit.data("y"))) == (31, 21)


def test_a_single_pixel_is_one_square_of_one_colour(visit: Visit) -> None:
    for layer in ("flags", "labels", "zones"):
        visit.page.locator(f"#{layer}-on").uncheck()
    visit.page.locator("#stage").focus()
    visit.page.locator("button[data-mode=blink]").click()
    visit.page.locator("button[data-mode=side]").click()
    visit.page.locator("button[data-mode=swipe]").click()
    visit.page.locator("#list [data-flag=F1]").click()
    visit.page.locator("#position").fill("100")
    visit.page.locator("#flags-on").uncheck()
    visit.settle()
    shown, k = picture(visit.page.locator("#stage")), float(visit.data("k"))
    assert k > 14
    # The map is centred on the outline, whose middle is the corner between the pixels (20, 30) and (21, 31).
    row, col = (int(shown.shape[axis] / 2 - 0.5 * k) for axis in (0, 1))
    half = int(k / 2) - 3
    pixel = shown[row - half : row + half, col - half : col + half].reshape(-1, 3)
    assert (np.ptp(pixel, axis=0) == 0).all()
    left = shown[row - half : row + half, col - int(k) - half : col - int(k) + half].reshape(-1, 3)
    assert (np.ptp(left, axis=0) == 0).all()
    assert not np.array_equal(pixel[0], left[0])


def test_everything_can_be_done_with_the_keyboard(visit: Visit) -> None:
    page = visit.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "stage":
            break
    assert page.evaluate("document.activeElement.id") == "stage"
    whole = float(visit.data("k"))
    page.keyboard.press("n")
    assert visit.data("selected") == "F1"
    page.keyboard.press("n")
    assert visit.data("selected") == "F2"
    page.keyboard.press("p")
    assert visit.data("selected") == "F1"
    x = float(visit.data("x"))
    page.keyboard.press("ArrowRight")
    assert float(visit.data("x")) > x
    zoomed = float(visit.data("k"))
    page.keyboard.press("-")
    assert float(visit.data("k")) < zoomed
    page.keyboard.press(",")
    assert visit.data("at") == "0.450"
    page.keyboard.press("d")
    assert visit.data("mode") == "side"
    page.keyboard.press("0")
    assert float(visit.data("k")) < whole * 1.01
    page.keyboard.press("Escape")
    assert visit.data("selected") == ""


def test_blinking_shows_one_date_after_the_other(visit: Visit) -> None:
    visit.page.locator("button[data-mode=blink]").click()
    seen = set()
    for _ in range(2):
        face = visit.data("face")
        visit.settle()
        shown = picture(visit.page.locator("#stage"))
        seen.add("red" if _is("red", shown[300, 250:260]) else "blue" if _is("blue", shown[300, 250:260]) else "?")
        visit.page.wait_for_function("face => document.getElementById('stage').dataset.face !== face", arg=face)
    assert visit.page.locator(".map-tag:visible").count() == 1
    assert seen <= {"red", "blue"}
    assert seen


def test_blinking_waits_for_the_reader_who_wants_no_motion(browser: Browser, tmp_path: Path) -> None:
    with visiting(browser, _file(tmp_path, _coloured()), reduced_motion="reduce") as visit:
        visit.page.locator("button[data-mode=blink]").click()
        face = visit.data("face")
        visit.page.wait_for_timeout(1600)
        assert visit.data("face") == face
        visit.page.locator("button[data-mode=blink]").click()
        assert visit.data("face") != face


def test_the_wheel_scrolls_the_page_until_the_map_is_in_use(visit: Visit) -> None:
    stage = visit.page.locator("#stage")
    stage.scroll_into_view_if_needed()
    stage.hover(position={"x": 300, "y": 200})
    whole = float(visit.data("k"))
    visit.page.mouse.wheel(0, -300)
    visit.settle()
    assert float(visit.data("k")) == whole
    stage.focus()
    visit.page.mouse.wheel(0, -300)
    visit.settle()
    assert float(visit.data("k")) > whole


def test_places_under_the_pointer_are_true(visit: Visit) -> None:
    box = _stage(visit)
    k = float(visit.data("k"))
    visit.page.mouse.move(box["x"] + box["width"] / 2 + 10.5 * k, box["y"] + box["height"] / 2 - 9.5 * k)
    grid = make_grid()
    west, _, _, north = grid.bounds
    place = to_lonlat(Point(west + 505, north - 205), grid.crs)
    words = visit.page.locator(".map-readout").inner_text()
    assert words.startswith("row 20, column 50")
    lat, lon = (float(part.split("°")[0]) for part in words.split("· ")[1].split(" N ", 1))
    assert (lon, lat) == pytest.approx((place.x, place.y), abs=3e-5)


@pytest.mark.parametrize("width", [375, 1280])
def test_hostile_names_stay_inert(browser: Browser, tmp_path: Path, width: int) -> None:
    address = _file(tmp_path, hostile_result())
    with visiting(browser, address, viewport={"width": width, "height": 800}) as visit:
        for button in visit.page.locator("#list button").all():
            button.click()
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        assert HOSTILE[0] in visit.page.locator("body").inner_text()
        assert visit.asked == [address]
        assert visit.complaints == []


def test_without_scripts_both_pictures_stand_side_by_side(browser: Browser, tmp_path: Path) -> None:
    with visiting(browser, _file(tmp_path, _coloured()), java_script_enabled=False) as visit:
        pictures = visit.page.locator("#still svg.pixels")
        assert [one.is_visible() for one in pictures.all()] == [True, True]
        assert visit.page.locator("#instrument").is_hidden()


def test_on_paper_the_pictures_stand_still(visit: Visit) -> None:
    """Though they wait as text for the map, and whoever prints at once does not."""
    assert visit.page.pdf()[:5] == b"%PDF-"
    visit.page.emulate_media(media="print")
    assert visit.page.locator("#instrument").is_hidden()
    assert visit.page.locator("#still").is_visible()
    assert visit.page.locator("#still figure").count() == 2


def test_without_flags_the_map_is_still_there(browser: Browser, tmp_path: Path) -> None:
    with visiting(browser, _file(tmp_path, _coloured(flags=()))) as visit:
        visit.page.locator("#stage").focus()
        visit.page.keyboard.press("n")
        assert visit.data("selected") == ""
        assert "No change reached the threshold" in visit.page.locator(".panel").inner_text()
        assert visit.complaints == []
        assert serious_findings(visit.page) == []


def test_flags_beyond_the_cards_point_to_the_table(browser: Browser, tmp_path: Path) -> None:
    items = [blob(k % 55, (7 * k) % 75, scale="area" if k % 3 else "object") for k in range(203)]
    with visiting(browser, _file(tmp_path, replace(_coloured(), flags=make_flags(items)))) as visit:
        visit.page.locator("#list [data-flag=F203]").click()
        assert "The numbers of F203 stand in the table" in visit.page.locator("#inspector").inner_text()
        assert visit.complaints == []
