"""`revisit sites`: the built-in sites and their zones."""

from __future__ import annotations

from typing import Annotated

import typer

from revisit.cli.terminal import print_json

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def sites(json: Json = False) -> None:
    """List the built-in sites and their zones.

    Each site's name is an AREA for the other commands; `revisit area show NAME` says where its outlines come from.

    Example: revisit sites
    """
    from aoi.builtin import load_site, site_names
    from revisit.areafacts import area_facts, degrees

    facts = [area_facts(load_site(name)) for name in site_names()]
    if json:
        print_json(facts)
        return
    for site in facts:
        across, along = site["size_km"]
        typer.echo(f"{site['name']}  {degrees(*site['centre'])}  {across:.1f} x {along:.1f} km")
        for zone in site["zones"]:
            typer.echo(
                f"  {zone['name']:<18} {zone['kind']:<10} {zone['km2']:6.3f} km2, good to {zone['accuracy_m']:g} m"
            )
