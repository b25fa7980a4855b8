"""The stand-alone report of a run: one HTML file that opens from disk and asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from revisit.caveats import caveats
from revisit.manifest import software
from revisit.report_both import flag_views, methods, radar_pictures, seen_table
from revisit.report_map import labels, pictures, place_terms, scale_bar
from revisit.report_view import MOST_CHIPS, key_figures, recipe_view, scene_view, zone_views
from revisit.result import Result
from revisit.seen import seen_lines
from revisit.symbols import SIGN_COLOURS, SIGN_MARKS, SIMULATED, STRENGTH_WORDS
from revisit.witnessed import SENSOR_WORDS
from revisit.wording import (
    attribution,
    method_steps,
    percent,
    pixel_sizes,
    sensor_words,
    stamp,
    summary,
    title,
)

_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters without a shape of their own that turn the direction of what stands around them."""


def write_report(result: Result, folder: Path) -> None:
    """Write report.html.

    Parameters
    ----------
    result
        Of a run.
    folder
        An existing folder; a file of this name is replaced.

    Raises
    ------
    OSError
        Where the folder cannot be written to.
    """
    (folder / "report.html").write_text(render(result), encoding="utf-8", newline="\n")


def render(result: Result) -> str:
    """Return the page: HTML with its style, script and pictures inside; the same result gives the same text.

    Names and notes come from files that anybody may have written. They are escaped, stand in elements of their own
    direction, lose their control characters, and the page's policy lets nothing run but the one script by its hash.
    """
    scripts = ("map.js", "report.js", *(("both.js",) if result.other else ()))
    code = "\n".join(template_text(name) for name in scripts)
    style, script = Markup(_style(result)), Markup(code)  # noqa: S704 - all are our own files
    return (
        environment()
        .get_template("report.html.j2")
        .render(style=style, script=script, policy=_policy(style, script), **_view(result))
    )


def _view(result: Result) -> dict[str, Any]:
    """Return all values that the template shows."""
    flags = flag_views(result)
    return {
        "title": title(result),
        "name": result.aoi.name,
        "summary": summary(result),
        "caveats": caveats(result),
        "simulated": SIMULATED if result.simulated else None,
        "attribution": attribution(result),
        "sensor": sensor_words(result),
        "before": stamp(result.before.acquired),
        "after": stamp(result.after.acquired),
        "gsd": f"{result.grid.gsd:g}",
        "cols": result.grid.width,
        "rows": result.grid.height,
        "pictures": pictures(result) | {"radar": radar_pictures(result)},
        "figures": key_figures(result),
        "places": place_terms(result.grid),
        "labels": labels(result),
        "bar": scale_bar(result),
        "flags": flags,
        "shown": flags[:MOST_CHIPS],
        "drawn": {flag["like"]["sensor"] for flag in flags if flag["like"]},
        "calibrated": any(part.change.calibrated for part in result.parts),
        "noted": any(flag["notes"][1:] if result.other else flag["notes"] for flag in flags),
        "candidates": any(flag.object.candidates for flag in result.flags),
        "radar": result.after.quantity != "reflectance",
        "seen": seen_table(result),
        "seen_line": ". ".join(seen_lines(result)),
        "sizes": pixel_sizes(result.grid.gsd),
        "steps": {SENSOR_WORDS[part.sensor]: method_steps(part) for part in result.parts},
        "method": methods(result),
        "scenes": [scene_view(record, part) for part in result.parts for record in part.scenes],
        "reasons": tuple(reason for part in result.parts for reason in part.reasons),
        "zones": zone_views(result),
        "area_valid": percent(result.valid_share.get("area")),
        "recipe": recipe_view(result),
        "software": software(),
        "marks_of": SIGN_MARKS,
        "strengths": STRENGTH_WORDS,
    }


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return the template environment: everything is escaped, nothing may be left undefined."""
    return Environment(
        loader=PackageLoader("revisit"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _harmless(value: Any) -> Any:
    """Return a text with "\ufffd" for controls, halves of surrogate pairs and marks that turn the direction of text."""
    # Pictures are megabytes of base64, in which nothing of the kind can stand.
    if not isinstance(value, str) or isinstance(value, Markup) or value.startswith("data:image/"):
        return value
    return "".join(
        "\ufffd" if char in _TURNING or unicodedata.category(char) in {"Cc", "Cs"} else char for char in value
    )


def template_text(name: str) -> str:
    """Return one of the template's own files as it is."""
    loader = environment().loader
    source, _, _ = loader.get_source(environment(), name)  # type: ignore[union-attr]  # set above
    return source.strip()


def _style(result: Result) -> str:
    """Return the style sheet with what depends on the run: the shape of the picture and the colours of the signs."""
    numbers = {"cols": result.grid.width, "rows": result.grid.height}
    own = "".join(f"--{name}:{value};" for name, value in [*numbers.items(), *SIGN_COLOURS.items()])
    sheets = "\n".join(template_text(name) for name in ("base.css", "map.css", "report.css"))
    return f":root{{{own}}}\n{sheets}"


def _policy(style: str, script: str) -> str:
    """Return the content security policy: pictures of the page itself, this style and this script, nothing else."""
    return (
        f"default-src 'none'; img-src data:; style-src '{inline_hash(style)}'; script-src '{inline_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def inline_hash(text: str) -> str:
    """Return the hash of an inline element's text, as a policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
