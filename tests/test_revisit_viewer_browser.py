"""The viewer in a real browser: areas, dates, filters, live jobs, hostile names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from revisit.journal import journal
from revisit.outputs import write_run
from tests.attack import HOSTILE, hostile_result
from tests.browsing import Visit, launched, serious_findings, visiting
from tests.serving import serving
from tests.test_revisit_viewer import write_runs


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return one browser for all tests."""
    with launched() as found:
        yield found


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with three runs."""
    folder = tmp_path_factory.mktemp("viewed")
    write_runs(folder)
    return folder


@pytest.fixture(scope="module")
def address(root: Path) -> Iterator[str]:
    """Return where they are served."""
    with serving(root) as found:
        yield found


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """Return the open page, with the area of two runs chosen."""
    with visiting(browser, address) as found:
        found.page.locator("#areas button", has_text="stand-in").click()
        yield found
        assert found.complaints == []
        assert all(url.startswith(address) for url in found.asked)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280, 2560])
def test_the_page_fits_and_can_be_read(browser: Browser, address: str, width: int, scheme: str) -> None:
    with visiting(browser, address, viewport={"width": width, "height": 900}, color_scheme=scheme) as visit:
        expect(visit.page.locator("#areas button")).to_have_count(2)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        assert serious_findings(visit.page) == []
        assert visit.complaints == []
        assert all(url.startswith(address) for url in visit.asked)


def test_a_run_is_chosen_and_its_flags_are_listed(visit: Visit) -> None:
    visit.page.locator("#runs button").first.click()
    expect(visit.page.locator("#count")).to_have_text("2 flags")
    expect(visit.page.locator("#left-words")).to_have_text("2024-11-30 08:23 UTC")
    visit.page.locator("#list button").first.click()
    assert visit.data("selected").endswith("/F1")
    assert (float(visit.data("x")), float(visit.data("y"))) == (11, 11)
    words = visit.page.locator("#inspector").inner_text()
    for fact in ("F1: appeared, 2024-11-30 to 2024-12-15", "20 x 20 m", "uncalibrated", "apron-north"):
        assert fact in words, fact


def test_the_dates_are_slid_by_keyboard(visit: Visit) -> None:
    visit.page.locator("#runs button").first.click()
    visit.page.locator("#right").focus()
    visit.page.keyboard.press("ArrowRight")
    expect(visit.page.locator("#right-words")).to_have_text("2024-12-25 08:22 UTC")
    expect(visit.page.locator("#count")).to_contain_text("No run compared these two dates")
    visit.page.locator("#left").focus()
    visit.page.keyboard.press("ArrowRight")
    expect(visit.page.locator("#count")).to_have_text("1 flag")


def test_flags_are_filtered_by_sign_size_scale_zone_and_p(visit: Visit) -> None:
    filters, count = visit.page.locator("#filters"), visit.page.locator("#count")
    filters.locator("[name=run]").select_option("all")
    expect(count).to_have_text("3 flags")
    filters.locator("[value=appeared]").uncheck()
    expect(count).to_have_text("2 flags")
    filters.locator("[value=appeared]").check()
    filters.locator("[name=from]").fill("30")
    expect(count).to_have_text("1 flag")
    filters.locator("[name=from]").fill("")
    filters.locator("[name=scale]").select_option("area")
    expect(count).to_have_text("1 flag")
    filters.locator("[name=scale]").select_option("")
    filters.locator("[name=zone]").select_option("outside")
    expect(count).to_have_text("1 flag")
    filters.locator("[name=zone]").select_option("")
    filters.locator("[name=p]").fill("0.5")
    expect(count).to_have_text("0 flags")
    assert visit.data("visible") == "0"


def test_a_job_is_shown_while_it_runs_and_its_run_afterwards(browser: Browser, tmp_path: Path) -> None:
    write_runs(tmp_path)
    with serving(tmp_path) as address, visiting(browser, address) as visit:
        expect(visit.page.locator("#sum")).to_contain_text("3 runs")
        with journal(tmp_path / "new", lambda _: None) as note:
            note("aligning")
            expect(visit.page.locator(".job")).to_contain_text("aligning", timeout=10_000)
            write_run(hostile_result(), tmp_path / "new")
        expect(visit.page.locator("#sum")).to_contain_text("4 runs", timeout=10_000)
        expect(visit.page.locator("#jobs")).to_be_hidden()
        assert visit.complaints == []


def test_hostile_names_stay_inert(browser: Browser, tmp_path: Path) -> None:
    write_run(hostile_result(), tmp_path / "run")
    with serving(tmp_path) as address, visiting(browser, address) as visit:
        expect(visit.page.locator("#areas button")).to_have_count(1)
        for button in visit.page.locator("#list button").all():
            button.click()
        assert HOSTILE[1] in visit.page.locator("#areas").inner_text()
        assert visit.page.locator("main img, main script").count() == 0
        assert visit.complaints == []
        assert all(url.startswith(address) for url in visit.asked)


def test_the_report_opens_from_the_viewer_as_from_disk(visit: Visit) -> None:
    visit.page.locator("#list button").first.click()
    with visit.page.context.expect_page() as opened:
        visit.page.locator("#inspector a").click()
    report = opened.value
    report.wait_for_load_state()
    report.locator("#list [data-flag=F1]").click()
    assert report.locator("#stage").get_attribute("data-selected") == "F1"


def test_without_runs_it_says_so(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path) as address, visiting(browser, address) as visit:
        expect(visit.page.locator("#sum")).to_have_text("0 runs of 0 areas, 0 flags")
        assert visit.complaints == []
