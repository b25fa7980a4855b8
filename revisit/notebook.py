"""How a result shows itself in a notebook: the honest line, both dates, the flags; no script."""

from __future__ import annotations

import base64
import io
from itertools import islice

from markupsafe import Markup, escape
from PIL import Image

from revisit.caveats import caveats
from revisit.picture import Shades, shades, shared_stretch
from revisit.result import Result
from revisit.symbols import SIMULATED, labelled
from revisit.witnessed import SENSOR_WORDS
from revisit.wording import attribution, contrast_words, number, stamp, summary

MOST_ROWS = 20
_SIDE = 360
"""Screen pixels of a picture's longer side."""
_HEADS = ("flag", "change", "scale", "zone", "length x width, m", "contrast", "p")


def _image(picture: Shades, words: str) -> Markup:
    """Return a picture as an element, each pixel of the grid as a square."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    rows, cols = picture.shape[:2]
    scale = _SIDE / max(rows, cols)
    source = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Markup(
        '<figure style="display:inline-block;margin:0 12px 8px 0"><img alt="{words}" width="{width}" height="{height}"'
        ' style="image-rendering:pixelated" src="data:image/png;base64,{source}">'
        "<figcaption>{words}</figcaption></figure>"
    ).format(words=words, width=round(cols * scale), height=round(rows * scale), source=source)


def _dates(result: Result, *, named: bool) -> Markup:
    """Return both dates of one sensor, with its name where there are two."""
    stretch = shared_stretch((result.before, result.after))
    dates = (("before", result.before), ("after", result.after))
    head = f"{SENSOR_WORDS[result.sensor]}, " if named else ""
    return Markup("").join(
        _image(shades(raster, stretch), f"{head}{role}, {stamp(raster.acquired)}") for role, raster in dates
    )


def _row(cells: tuple[str, ...], *, head: bool = False) -> Markup:
    """Return a row of a table."""
    one = Markup("<th>{}</th>") if head else Markup("<td>{}</td>")
    inner = Markup("").join(one.format(cell) for cell in cells)
    return Markup("<tr>{}</tr>").format(inner)


def _table(result: Result) -> Markup:
    """Return the strongest flags as a table."""
    rows = [
        (
            labelled(flag.id, flag.object.change),
            flag.object.change,
            flag.object.scale,
            flag.zone or "outside the zones",
            f"{number(flag.object.length_m)} x {number(flag.object.width_m)}",
            contrast_words(flag.object.contrast, part.sensor),
            number(flag.object.p_value, 2) if part.change.calibrated else "uncalibrated",
            *((SENSOR_WORDS[part.sensor], flag.notes[0]) if flag.witness else ()),
        )
        for flag, part in islice(result.each_flag(), MOST_ROWS)
    ]
    body = Markup("").join(_row(row) for row in rows)
    heads = (*_HEADS, *(("sensor", "the other sensor") if result.other else ()))
    more = len(result.flags) - len(rows)
    tail = Markup("<p>... and {} more</p>").format(more) if more > 0 else Markup("")
    return Markup("<table><thead>{}</thead><tbody>{}</tbody></table>{}").format(_row(heads, head=True), body, tail)


def result_html(result: Result) -> str:
    """Return a result as a piece of HTML that notebooks show.

    Parameters
    ----------
    result
        Of `revisit.run`. Names in it may come from anybody; they are escaped.
    """
    pictures = Markup("").join(_dates(part, named=result.other is not None) for part in result.parts)
    first = caveats(result)[0]
    parts = [
        Markup("<p><strong>{}</strong></p>").format(SIMULATED) if result.simulated else Markup(""),
        Markup("<p><strong>{}</strong> {}</p>").format(summary(result), f"{first.head} {first.text}"),
        pictures,
        _table(result) if result.flags else Markup(""),
        Markup("<p><small>{}</small></p>").format(attribution(result)),
    ]
    return str(Markup("<div>{}</div>").format(Markup("").join(escape(part) for part in parts)))
