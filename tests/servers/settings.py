"""What a test may set about the world of stand-ins, at the start or while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Paging = Literal["plain", "duplicates", "empty-page", "loop", "short", "foreign", "downgrade", "local-path"]
"""What is wrong with the pages of a search: the last item of a page comes again on the next; the second page is empty
and has a next link; the next link leads back to the same page; `numberMatched` is one more than there is; the next link
names a foreign host, plain http on one, or a local path."""
Sky = Literal["clear", "half", "full"]

SKIES: dict[str, Sky] = {"2024-09-26": "full", "2024-10-31": "half", "2024-11-15": "full", "2024-12-05": "full",
                         "2024-12-10": "half", "2024-12-25": "half"}  # fmt: skip
"""The tile's figure says otherwise on 2024-11-15 (1.2 %, and the site is covered) and on 2024-11-20 (95.4 %, and the
site is clear)."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Days are texts such as "2024-11-30"; patterns are those of `fnmatch`, for "COLLECTION/ITEM ID" at one catalogue:
    "earth-search:sentinel-2-c1-l2a/*_20241130T*"."""

    days: list[str] = field(default_factory=list)
    """Only passes of these days; empty: all."""
    real_data: str = ""
    """Folder of real scene lists whose passes are added to those of `passes.csv`."""
    omit: list[str] = field(default_factory=list)
    """Patterns of items that are not there."""
    drop_assets: dict[str, list[str]] = field(default_factory=dict)
    """Pattern: asset keys that its items lack."""
    alter: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Pattern: properties that its items have; None takes one away."""
    paging: dict[str, Paging] = field(default_factory=dict)
    """Catalogue: what is wrong with its pages."""
    page_limit: dict[str, int] = field(default_factory=dict)
    """Catalogue: most items it gives on a page, whatever is asked."""

    skies: dict[str, Sky] = field(default_factory=lambda: dict(SKIES))
    """Clouds over the site; days that are not named are clear."""
    apron_is_cloud: list[str] = field(default_factory=list)
    """Days on which the classification calls all pavement cloud."""
    wedge: list[str] = field(default_factory=list)
    """Days on which the north-west of the site is without data."""
    water_zeros: list[str] = field(default_factory=list)
    """Days on which some pixels of the water are DN 0, while the classification knows them."""
    split: list[str] = field(default_factory=list)
    """Days whose pass two stations received: two products, each with half of the site."""
    baselines: dict[str, str] = field(default_factory=dict)
    """Day: processing baseline, such as "03.01"; under 04.00 the pixels have no offset."""
    reprocessed: list[str] = field(default_factory=list)
    """Days whose products are there a second time, generated later with the next baseline (Earth Search: `_1`)."""
    declare_nodata: bool = True

    l2a_pixels: Literal["applied", "raw"] = "applied"
    """Whether the offset is already taken off the pixels of Earth Search's older collection."""
    l2a_says: Literal["true", "false", "absent"] = "true"
    """What `earthsearch:boa_offset_applied` says of that."""
    l2a_offset: float | None = None
    """`raster:bands` offset of the older collection; None: what follows from `l2a_says`."""

    rtc_bad: list[str] = field(default_factory=list)
    """Days whose radar image has strips of 0, -32768, NaN and negative values across the site."""
    rtc_shift_px: dict[str, list[float]] = field(default_factory=dict)
    """Day: (rows, cols) by which its radar image is out of place."""
    s1c: list[str] = field(default_factory=list)
    """Days whose radar passes are called Sentinel-1C's."""
    single_pol: list[str] = field(default_factory=list)
    """Days whose radar passes have VV alone (1SSV)."""

    sas_life_s: float = 2700
    sas_stale: int = 0
    """How many tokens are issued already expired, before good ones."""
    sas_wanted: bool = True
    """Whether the blob hosts want a signature."""
    client_id: str = "sh-8d6f0b5a-test"
    client_secret: str = "c4n4ry-S3cret/with+signs!"
    token_life_s: float = 600
    token_generation: int = 1
    """Another number revokes every token issued before."""
    units_left: float | None = None
    """Processing units before 403; None: no end."""
    evalscripts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """sha256 of a script: {"bands": [...], "units": "DN" | "REFLECTANCE", "sample": "UINT16", ...}, or several of
    them by identifier under "responses". Beside them the scripts of the package are known."""
    cdse_rate: int = 5
    """Requests a second that the CDSE catalogue allows; 0: no limit."""
