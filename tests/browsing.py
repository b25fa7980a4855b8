"""A real browser for the tests of pages: with a record of all that a page asks for and complains of."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Locator, Page, Request, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
SERIOUS = {"serious", "critical"}


def chromium() -> str | None:
    """Return the path of the browser; None where none is installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def launched() -> Iterator[Browser]:
    """Give the browser, or skip."""
    path = chromium()
    if path is None:
        pytest.skip("a browser: none of " + ", ".join(NAMES) + " is installed (scripts/test says how to get one)")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@dataclass(kw_only=True)
class Visit:
    """An open page and what it did."""

    page: Page
    asked: list[str] = field(default_factory=list)
    """Addresses of all requests but data: and blob:."""
    complaints: list[str] = field(default_factory=list)
    """Errors and warnings of the console, uncaught errors, dialogs."""

    def listen(self) -> None:
        """Record from now on."""

        def asked(request: Request) -> None:
            if not request.url.startswith(("data:", "blob:")):
                self.asked.append(request.url)

        def said(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:
                self.complaints.append(message.text)

        def opened(dialog: Dialog) -> None:
            self.complaints.append(dialog.message)
            dialog.dismiss()

        self.page.on("request", asked)
        self.page.on("console", said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", opened)

    def data(self, name: str) -> str:
        """Return a fact that the map says of itself."""
        return str(self.page.locator(".map").first.get_attribute(f"data-{name}"))

    def settle(self) -> None:
        """Wait until what was asked for has been drawn."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@contextmanager
def visiting(browser: Browser, address: str, **options: Any) -> Iterator[Visit]:
    """Open an address in a window of its own and record what happens there."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    visit = Visit(page=context.new_page())
    visit.listen()
    visit.page.goto(address)
    if options.get("java_script_enabled", True):
        visit.settle()
    yield visit
    context.close()


def serious_findings(page: Page) -> list[str]:
    """Return what axe-core holds to be serious or worse."""
    found = Axe().run(page).response["violations"]
    return [
        f"{entry['id']}: {node['target']} {node.get('failureSummary', '')}"
        for entry in found
        if entry["impact"] in SERIOUS
        for node in entry["nodes"]
    ]


def picture(place: Locator) -> NDArray[np.uint8]:
    """Return what the screen shows of an element, (row, col, 3)."""
    with Image.open(io.BytesIO(place.screenshot())) as image:
        return np.asarray(image.convert("RGB"))
