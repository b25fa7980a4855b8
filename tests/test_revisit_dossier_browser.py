"""The dossier's page in a real browser: three widths, both schemes, no script, no request, nothing serious for axe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browsing import launched, serious_findings, visiting
from tests.test_revisit_check import beirut

__all__ = ["beirut"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return one browser for all tests."""
    with launched() as found:
        yield found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280, 2560])
def test_the_dossier_fits_and_can_be_read(browser: Browser, beirut: Path, width: int, scheme: str) -> None:
    address = (beirut / "dossier" / "report.html").as_uri()
    with visiting(browser, address, viewport={"width": width, "height": 900}, color_scheme=scheme) as visit:
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        wider = "(one) => one.scrollWidth > one.clientWidth + 1"
        cut = f"card => [...card.querySelectorAll('dd, p, blockquote')].filter({wider}).length"
        assert [card.evaluate(cut) for card in visit.page.locator("article").all()] == [0, 0, 0]
        seen = "one => one.firstElementChild.checkVisibility({ contentVisibilityAuto: true })"
        assert all(card.evaluate(seen) for card in visit.page.locator("article").all())
        assert serious_findings(visit.page) == []
        assert visit.asked == [address]
        assert visit.complaints == []
