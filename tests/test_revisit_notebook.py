"""The result in a notebook, and the example notebook from its first cell to its last."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from tests.attack import hostile_result
from tests.standin import blob, make_flags, make_result

EXAMPLE = Path(__file__).parents[1] / "examples" / "two_dates.ipynb"


class Tags(HTMLParser):
    """The elements of a piece of HTML and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.words += data


def test_a_result_shows_its_line_its_dates_and_its_flags() -> None:
    page = Tags(make_result()._repr_html_())
    assert page.tags.count("img") == 2
    assert page.tags.count("tr") == 3
    for words in ("2 changes flagged", "uncalibrated", "before, 2024-11-30 08:23 UTC", "F2-", "Copernicus"):
        assert words in page.words, words


def test_many_flags_are_counted_and_none_is_no_table() -> None:
    many = make_flags([blob(k % 55, (7 * k) % 75) for k in range(30)])
    assert "... and 10 more" in Tags(make_result(flags=many)._repr_html_()).words
    assert "table" not in Tags(make_result(flags=())._repr_html_()).tags


def test_names_are_inert() -> None:
    page = Tags(replace(hostile_result(), simulated=True)._repr_html_())
    assert "script" not in page.tags
    assert page.tags.count("img") == 2
    assert "SIMULATED" in page.words


def test_the_example_runs_and_draws() -> None:
    notebook = nbformat.read(EXAMPLE, as_version=4)  # type: ignore[no-untyped-call]
    assert not [cell for cell in notebook.cells if cell.get("outputs")], "the example is kept without its outputs"
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(EXAMPLE.parents[1])}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    kinds = [kind for output in outputs for kind in output.get("data", {})]
    assert kinds.count("image/png") == 2
    assert kinds.count("text/html") == 1
    assert "report.html" in str(outputs[-1])
    assert not [output for output in outputs if output.output_type in ("error", "stream")]
