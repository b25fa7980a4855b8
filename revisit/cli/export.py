"""`revisit export`: a run in the forms that other programs read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="A run's folder; for gif, webp and mp4 also one that holds several runs.")
]
Form = Annotated[
    str, typer.Option("--format", help="gpkg, kmz, geojson, csv, cog, overlays, png, pdf, gif, webp or mp4.")
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", help="The file; it is replaced where it exists.", show_default="DIR.SUFFIX, beside DIR"
    ),
]


def export(folder: Folder, form: Form, out: Out = None) -> None:
    """Write a run's flags, pictures or report for GIS, Google Earth, spreadsheets, paper or the web.

    Example: revisit export runs/demo --format kmz -o demo.kmz
    """
    from revisit.export.write import export as write

    for path in write(folder, form, out):
        typer.echo(path)
