"""What each catalogue holds under given settings, and the files that its items name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tests.servers import items_s1, items_s2
from tests.servers.items_s2 import Product, products
from tests.servers.passes import Granule, Slice, more, table
from tests.servers.settings import Settings

Item = dict[str, Any]
OPTICAL = {
    ("earth-search", "sentinel-2-c1-l2a"): items_s2.c1_item,
    ("earth-search", "sentinel-2-l2a"): items_s2.l2a_item,
    ("planetary-computer", "sentinel-2-l2a"): items_s2.planetary_item,
    ("cdse", "sentinel-2-l2a"): items_s2.cdse_item,
    ("sentinel-hub", "sentinel-2-l2a"): items_s2.hub_item,
}
RADAR = {
    ("earth-search", "sentinel-1-grd"): items_s1.grd_item,
    ("planetary-computer", "sentinel-1-rtc"): items_s1.rtc_item,
    ("cdse", "sentinel-1-grd"): items_s1.cdse_grd_item,
    ("sentinel-hub", "sentinel-1-grd"): items_s1.hub_grd_item,
}
EMPTY = {"earth-search": ["sentinel-2-l1c"], "cdse": ["sentinel-2-l1c", "sentinel-1-slc"],
         "sentinel-hub": ["sentinel-2-l1c"]}  # fmt: skip
"""Collections that are known and hold nothing."""


@dataclass(kw_only=True)
class Holdings:
    """Everything that the world shows."""

    items: dict[str, dict[str, list[Item]]] = field(default_factory=dict)
    """Catalogue: collection: items, newest first."""
    files: items_s2.Files = field(default_factory=dict)
    radar_files: items_s1.RadarFiles = field(default_factory=dict)
    granules: list[Product] = field(default_factory=list)
    slices: list[Slice] = field(default_factory=list)


def passes(settings: Settings) -> tuple[list[Granule], list[Slice]]:
    """Return the passes that the settings leave."""
    granules, slices = list(table()[0]), list(table()[1])
    if settings.real_data:
        optical, radar = more(Path(settings.real_data))
        granules += [one for one in optical if one.safe not in {known.safe for known in granules}]
        slices += [one for one in radar if one.id not in {known.id for known in slices}]
    wanted = set(settings.days)
    return (
        [one for one in granules if not wanted or one.day in wanted],
        [items_s1.named(one, settings) for one in slices if not wanted or one.time[:10] in wanted],
    )


def _changed(item: Item, name: str, settings: Settings) -> Item | None:
    """Return an item as the settings want it; None where they leave it out."""
    if any(fnmatchcase(name, pattern) for pattern in settings.omit):
        return None
    for pattern, keys in settings.drop_assets.items():
        if fnmatchcase(name, pattern):
            item["assets"] = {key: asset for key, asset in item["assets"].items() if key not in keys}
    for pattern, changed in settings.alter.items():
        if fnmatchcase(name, pattern):
            told = item["properties"] | changed
            item["properties"] = {key: value for key, value in told.items() if value is not None or key == "datetime"}
    return item


def _written(found: Holdings, assets: str, settings: Settings) -> Iterator[tuple[str, str, Item]]:
    """Yield catalogue, collection and item of everything there is."""
    for (catalogue, collection), write in OPTICAL.items():
        for product in found.granules:
            yield catalogue, collection, write(product, assets, found.files, settings)
    for (catalogue, collection), write_radar in RADAR.items():
        for product_s1 in found.slices:
            yield catalogue, collection, write_radar(product_s1, assets, found.radar_files, settings)


def hold(settings: Settings, assets: str) -> Holdings:
    """Return everything that the world shows; `assets` is the address that hosts the files."""
    granules, slices = passes(settings)
    found = Holdings(slices=slices, granules=[one for granule in granules for one in products(granule, settings)])
    names = {catalogue for catalogue, _ in OPTICAL}
    found.items = {name: {collection: [] for collection in EMPTY.get(name, [])} for name in names}
    for catalogue, collection, item in _written(found, assets, settings):
        kept = _changed(item, f"{catalogue}:{collection}/{item['id']}", settings)
        shelf = found.items[catalogue].setdefault(collection, [])
        if kept:
            # A later product of the same name takes the place of the earlier one, as in a database.
            shelf[:] = [one for one in shelf if one["id"] != kept["id"]] + [kept]
    for shelves in found.items.values():
        for shelf in shelves.values():
            shelf.sort(key=lambda one: (one["properties"]["datetime"], one["id"]), reverse=True)
    return found
