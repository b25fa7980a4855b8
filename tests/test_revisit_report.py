"""The report: complete, self-contained, inert whatever the names say, and honest about what it cannot know."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from detect.change import Candidate
from detect.detectability import ClassDetectability
from revisit.picture import shades, shared_stretch
from revisit.report import render, write_report
from revisit.result import Result
from revisit.seen import seen_groups
from tests.attack import HOSTILE, hostile_result
from tests.standin import AFTER, BEFORE, blob, make_flags, make_grid, make_raster, make_result, make_zone

VOID = frozenset({"meta", "input", "br", "img", "link"})


class Page(HTMLParser):
    """What stands in a page: elements with their attributes, in order, and the text of each."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.path: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.path.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.path or self.path.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if self.path:
            self.texts.append((self.path[-1], data))

    def all(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of each element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, *tags: str) -> str:
        """Return the text of the elements of some kinds, of all but style and script where none is named."""
        return "".join(data for tag, data in self.texts if (tag in tags if tags else tag not in {"style", "script"}))


def _page(result: Result | None = None) -> Page:
    """Return the parsed report of a result."""
    return Page(render(result or make_result()))


def _many(count: int) -> Result:
    """Return a result with so many flags."""
    items = [blob(k % 55, (7 * k) % 75, scale="area" if k % 3 else "object") for k in range(count)]
    return make_result(flags=make_flags(items))


@pytest.mark.parametrize(
    "result",
    [make_result(), make_result(flags=()), _many(40), hostile_result()],
    ids=["plain", "none", "many", "hostile"],
)
def test_elements_are_balanced_and_ids_unique(result: Result) -> None:
    page = _page(result)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    targets = [attributes["href"] for _, attributes in page.elements if attributes.get("href", "").startswith("#")]
    assert (page.unbalanced, page.path) == ([], [])
    assert len(ids) == len(set(ids))
    assert {target[1:] for target in targets} <= set(ids)


def test_the_policy_allows_this_style_and_script_by_hash_and_nothing_else() -> None:
    page = _page()
    (policy,) = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))

    def digest(tag: str) -> str:
        return base64.b64encode(hashlib.sha256(page.text(tag).encode()).digest()).decode()

    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert rules["style-src"] == f"'sha256-{digest('style')}'"
    assert rules["script-src"] == f"'sha256-{digest('script')}'"
    assert set(rules) == {"default-src", "img-src", "style-src", "script-src", "base-uri", "form-action"}


@pytest.mark.parametrize("result", [make_result(), hostile_result()], ids=["plain", "hostile"])
def test_nothing_in_the_page_leads_elsewhere_or_runs(result: Result) -> None:
    html = render(result)
    page = Page(html)
    links = [value for _, a in page.elements for name, value in a.items() if name in {"href", "src", "action", "data"}]
    assert all(link.startswith(("#", "data:image/")) for link in links)
    assert "://" not in html
    assert len(page.all("script")) == 1
    assert not {"img", "iframe", "object", "embed", "link", "form", "base"} & {tag for tag, _ in page.elements}
    assert not [name for _, a in page.elements for name in a if name.startswith("on") or name == "style"]


def test_hostile_names_stand_as_text_without_controls() -> None:
    html = render(hostile_result())
    text = Page(html).text()
    for name in HOSTILE[:6]:
        assert name in text, name
    assert "\u05d0\u05d1\u05d2" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)


def test_a_hostile_report_can_be_written_and_read_back(tmp_path: Path) -> None:
    write_report(hostile_result(), tmp_path)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == render(hostile_result())


def test_the_order_is_caveats_pictures_flags_limits_and_origins() -> None:
    heads = re.findall("<h2[^>]*>(.*?)</h2>", render(make_result()))
    assert [head.split(":")[0] for head in heads] == [
        "Read this first",
        "Before and after",
        "Flags",
        "Each flag by itself",
        "What these pictures cannot show",
        "How it was done",
        "Scenes",
        "Ground",
        "Where this comes from",
        "Licences",
    ]


def test_the_first_caveat_is_that_nothing_is_calibrated() -> None:
    html = render(make_result())
    first = html.index("Uncalibrated:")
    assert html.index("Read this first") < first < html.index("Before and after")
    assert "98 % of the searched ground" in html
    assert "+0.21 px (±\u00a00.020) in rows and -0.40 px (±\u00a0not known) in columns, 4.5 m in all" in html


def test_a_calibrated_run_says_what_chance_would_give() -> None:
    result = make_result()
    item = replace(
        result.flags[0].object, p_value=2e-5, false_alarms=0.0214, candidates=(Candidate(name="Il-76", likelihood=0.7),)
    )
    calibrated = replace(result.change, calibrated=True)
    text = _page(replace(result, change=calibrated, flags=(replace(result.flags[0], object=item),))).text()
    for words in (
        "Chance alone would give about 0.12 such flags",
        "1 flag beyond chance: fewer than 0.1 such expected",
        "2e-05",
        "0.021",
        "Il-76 (0.7)",
        "Expected by chance",
    ):
        assert words in text, words
    assert "ncalibrated" not in text


def test_what_could_have_been_seen_stands_in_a_table() -> None:
    row = ClassDetectability(
        object="Ka-52",
        ground="apron",
        direction="vanished",
        pd=0.35,
        low=0.18,
        high=0.567,
        placements=20,
        blank_rate=0.05,
        observable=False,
        least_contrast_area_m2=12.0,
    )
    lost = replace(row, ground="field", pd=float("nan"), placements=0, reason="none of this ground is valid")
    page = _page(make_result(detectability=(row, lost)))
    assert "What could have been seen here: Ka-52 not observable." in page.text()
    assert {"0.35", "0.18 to 0.57", "0.05", "no", "none of this ground is valid"} <= {t for _, t in page.texts}
    # Both directions in one row, and grounds that are alike share it.
    seen = replace(row, direction="appeared", pd=0.9, low=0.7, high=0.97, observable=True)
    alike = [replace(one, ground=ground) for ground in ("apron", "runway") for one in (row, seen)]
    (group,) = seen_groups({"optical": [*alike, lost]})
    assert [one["ground"] for one in group["rows"]] == ["apron, runway", "field"]
    first = group["rows"][0]
    assert (first["appeared"]["share"], first["vanished"]["share"]) == ("0.90", "0.35")
    assert first["verdict"] == "only where it appeared"
    assert "What could have been seen" not in _page().text()


def test_a_partial_answer_of_the_source_is_said_first() -> None:
    html = render(make_result(complete=False))
    assert html.index("The source answered in part.") < html.index("Uncalibrated:")


def test_each_flag_has_its_row_three_chips_and_a_drawn_one() -> None:
    page = _page(_many(40))
    rows = [a for a in page.all("th") if a.get("scope") == "row"]
    chips = [a["aria-label"] for a in page.all("svg") if re.match(r"F\d+,", a.get("aria-label", ""))]
    assert [a["href"] for a in page.all("a") if re.fullmatch(r"#F\d+", a["href"])] == [f"#F{k}" for k in range(1, 41)]
    assert len(rows) > 40
    assert len(chips) == 160
    assert sum(chip.startswith("F7,") for chip in chips) == 4
    assert [chip for chip in chips if chip.startswith("F7, drawn: how Il-76 would look here")]


def test_numbers_of_a_flag_stand_in_the_table() -> None:
    text = _page(
        make_result(flags=make_flags([blob(10, 20, side=4)], zone="apron-north", notes=("at an edge",)))
    ).text()
    for words in ("40 x 40", "apron-north", "1600", "+0.080", "uncalibrated", "at an edge", "45"):
        assert words in text, words


def test_two_hundred_flags_are_shown_and_more_are_counted() -> None:
    page = _page(_many(203))
    assert len(page.all("article")) == 200
    assert "The 200 strongest of 203 are shown" in page.text()
    assert page.text("text").count("F") == 203


def test_without_flags_no_change_is_claimed_only_for_valid_ground() -> None:
    page = _page(make_result(flags=()))
    assert "No change reached the threshold on 0.12 km² of searched ground that is valid on both dates." in page.text()
    assert not page.all("article")
    nothing = _page(make_result(flags=(), searched_km2=0.0)).text()
    assert "Nothing could be compared" in nothing
    assert "No change" not in nothing


def test_simulated_runs_say_so_everywhere_and_name_no_real_data() -> None:
    page = _page(make_result(simulated=True))
    assert page.text("p").startswith("SIMULATED - no real imagery")
    assert page.text("text").count("SIMULATED - no real imagery") == 6
    assert page.text("strong").count("SIMULATED") >= 6
    assert "Copernicus" not in page.text()
    assert "SIMULATED" not in _page().text()


def test_pictures_are_the_pixels_as_compared() -> None:
    valid = np.ones((60, 80), np.bool_)
    valid[:5, :9] = False
    result = make_result(before=make_raster(make_grid(), BEFORE, 1, valid=valid))
    images = {a["id"]: a["href"] for a in _page(result).all("image") if "id" in a}
    stretch = shared_stretch((result.before, result.after))
    for role, raster in (("before", result.before), ("after", result.after)):
        content = base64.b64decode(images[f"picture-{role}"].split(",", 1)[1])
        with Image.open(io.BytesIO(content)) as picture:
            shown = np.asarray(picture.convert("RGBA"))
        expected = shades(raster, stretch)
        assert np.array_equal(shown[..., 3], expected[..., 3])
        assert np.array_equal(shown[raster.valid], expected[raster.valid])


def test_outlines_lie_on_their_pixels() -> None:
    page = _page(make_result(flags=make_flags([blob(20, 30, side=2)])))
    (path,) = [a["d"] for a in page.all("path") if a.get("id") == "path-F1"]
    points = {tuple(map(float, point.split(","))) for point in path.removeprefix("M").split()}
    assert points == {(29, 19), (33, 19), (33, 23), (29, 23)}


def test_object_sizes_follow_the_pixel_spacing() -> None:
    text = _page().text()
    assert "One pixel covers 10 x 10 m" in text
    for words in ("6.9 x 7.3", "4.7 x 5.0", "2.2 x 1.8"):
        assert words in text, words


def test_zones_say_how_well_they_are_known() -> None:
    grid = make_grid()
    zones = (make_zone(grid, "sharp", 15.0), make_zone(grid, "rough", 150.0), make_zone(grid, "unsaid", None))
    text = re.sub(r"\s+", " ", _page(make_result(grid, zones=zones)).text())
    assert "15 m" in text
    assert "150 m (an estimate)" in text
    assert "not stated (an estimate)" in text


def test_everything_is_named_for_who_cannot_see_it() -> None:
    page = _page(_many(12))
    assert page.all("html")[0]["lang"] == "en"
    assert all(a.get("aria-label") for a in page.all("svg") if a.get("role") == "img")
    assert all(a.get("role") == "img" or a.get("aria-hidden") == "true" for a in page.all("svg"))
    assert all(a.get("scope") in {"row", "col"} for a in page.all("th"))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(later - sooner <= 1 for sooner, later in pairwise(levels))
    labels = [tag for tag, _ in page.elements].count("label")
    assert labels == len(page.all("input")) + len(page.all("select"))


def _luminance(colour: str) -> float:
    """Return the relative luminance of "#rrggbb" as WCAG 2.2 defines it."""
    values = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(scheme: str) -> None:
    style = _page().text("style")
    start = style.index("prefers-color-scheme: dark") if scheme == "dark" else style.index("--paper")
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", style[start : style.index("}", start)]))
    pairs = [(ink, paper) for ink in ("ink", "soft", "link") for paper in ("paper", "panel")] + [("warn-ink", "warn")]
    for ink, paper in pairs:
        light, dark = sorted((_luminance(colours[ink]), _luminance(colours[paper])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, paper)


def test_a_large_run_stays_under_six_megabytes() -> None:
    grid = make_grid(500, 500)
    items = [blob((13 * k) % 480, (29 * k) % 480, side=8) for k in range(200)]
    html = render(make_result(grid, flags=make_flags(items)))
    assert len(html.encode()) < 6_000_000


def test_the_same_result_gives_the_same_page() -> None:
    assert render(make_result()) == render(make_result())


def test_real_imagery_gives_a_small_page(real_data: Path) -> None:
    rasters = []
    for day, when in (("20150704", BEFORE), ("20180211", AFTER)):
        with rasterio.open(real_data / "crops_utm" / f"pisa_airport_S2L1C_{day}.tif", driver="GTiff") as source:
            data = source.read([1, 2, 3, 4]).astype(np.float32) / 1e4
        rasters.append(make_raster(make_grid(*data.shape[1:]), when, data=data))
    html = render(make_result(rasters[0].grid, before=rasters[0], after=rasters[1]))
    assert len(html) < 1_500_000
    assert "Compressed with loss" not in html


def test_what_holds_for_many_flags_is_said_once() -> None:
    grid = make_grid()
    rough = make_zone(grid, "rough", 150.0)
    note = f"the outline of rough is estimated, within 150 m ({rough.source})"
    flags = make_flags([blob(20, 30), blob(25, 40)], zone="rough", notes=("at an edge", note))
    text = _page(make_result(grid, zones=(rough,), flags=flags, warnings=(note, "haze on one date"))).text()
    assert note not in text
    assert text.count("the zone's outline is an estimate, within 150 m") == 4
    assert text.count("at an edge") == 4
    assert "The outlines of 1 of 1 zone are estimates. They may be off by up to 150 m" in re.sub(r"\s+", " ", text)
    assert "haze on one date" in text
