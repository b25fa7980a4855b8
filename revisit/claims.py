"""Published claims: what was said, by whom, of which place and window of time; read from TOML, nothing is guessed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import get_close_matches
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any, Literal, get_args

from detect.errors import DetectError
from revisit.errors import UsageError
from revisit.tables import Spot, day_of, known_only, text_of

Kind = Literal["present", "appeared", "left", "unchanged", "activity", "state", "surface"]
KINDS: tuple[str, ...] = get_args(Kind)
OF_OBJECTS = frozenset({"present", "appeared", "left"})
"""Kinds that speak of an object, and need one."""
MOST_BYTES = 1_000_000
MOST_CLAIMS = 200
"""A file of claims is an article's or a report's."""
SHORTEST_M, LONGEST_M = 1.0, 400.0
"""Lengths of what is looked for: a car's, a tanker's."""
MOST_DAYS = 3660
"""Length of a window of time: what was built or filled may take years."""
CLAIM_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
Files = Path | Mapping[str, Path] | None
"""Where the area files of claims are looked for."""
BUILT_IN = ("syria-2024-12",)
"""Files of claims that come with the package."""

_SOURCE_KEYS = ("title", "publisher", "published", "url", "notes")
_CLAIM_KEYS = (
    "id", "statement", "place", "geometry", "kind", "object", "count", "from", "to", "published_by", "published_on",
    "notes",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Publication:
    """Who said it, and when."""

    title: str
    publisher: str
    published: date
    url: str | None = None
    notes: str | None = None


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One statement that can be held against imagery."""

    id: str
    statement: str
    kind: Kind
    start: date
    """First day of the window that the statement is about."""
    end: date
    """Last day, included."""
    area: str | None
    """Name of a built-in site; None where `geometry` says where."""
    zone: str | None = None
    """Name of one of the area's zones; None for all of it."""
    geometry: str | None = None
    """Area file, as the claim writes it, without "#ZONE"."""
    file: Path | None = None
    """Where that area file lies."""
    object: str | None = None
    """A class of the catalogue."""
    length_m: float | None = None
    """Length of an object that is no class of the catalogue."""
    count: int | None = None
    """How many the statement speaks of."""
    publication: Publication
    notes: str | None = None

    @property
    def place(self) -> str:
        """Where, as the file says it."""
        joint = "/" if self.geometry is None else "#"
        return f"{self.where}{joint}{self.zone}" if self.zone else self.where

    @property
    def where(self) -> str:
        """The site or the area file that the place lies in; claims that share it are looked at in one picture."""
        return str(self.area if self.geometry is None else self.geometry)

    @property
    def days(self) -> int:
        """Length of the window, days."""
        return (self.end - self.start) // timedelta(days=1) + 1


@dataclass(frozen=True, kw_only=True)
class Claims:
    """A file of claims."""

    name: str
    """The file's name without its ending, or the built-in file's."""
    publication: Publication
    claims: tuple[Claim, ...]
    text: str
    """As read: it goes into the evidence."""


def _publication(table: Mapping[str, Any], spot: Spot) -> Publication:
    """Return who said it."""
    known_only(table, _SOURCE_KEYS, spot)
    url = text_of(table, "url", spot, needed=False)
    if url and not url.startswith(("https://", "http://")):
        raise spot.refuse(f"url {url!r} is no web address", "url")
    return Publication(
        title=text_of(table, "title", spot) or "",
        publisher=text_of(table, "publisher", spot) or "",
        published=day_of(table, "published", spot),
        url=url,
        notes=text_of(table, "notes", spot, needed=False),
    )


def _kind(table: Mapping[str, Any], spot: Spot) -> Kind:
    """Return what kind of statement it is."""
    value = table.get("kind")
    for kind in get_args(Kind):
        if value == kind:
            return kind  # type: ignore[no-any-return]
    raise spot.refuse(f"kind is {value!r}; choose {', '.join(KINDS)}", "kind")


def _object(table: Mapping[str, Any], kind: Kind, spot: Spot) -> tuple[str | None, float | None]:
    """Return (class of the catalogue, length in metres): one of them, or none where the kind needs none."""
    value = table.get("object")
    if value is None:
        if kind in OF_OBJECTS:
            raise spot.refuse(f"a claim of kind {kind!r} needs an object: a class such as 'An-124', or a length, m")
        return None, None
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not SHORTEST_M <= value <= LONGEST_M:
            raise spot.refuse(f"object is {value} m long; choose {SHORTEST_M:g} to {LONGEST_M:g} m", "object")
        return None, float(value)
    from detect.targets import CATALOGUE, object_class

    try:
        return object_class(str(value)).name, None
    except DetectError as error:
        close = get_close_matches(str(value), CATALOGUE, n=1)
        told = f"there is no object {value!r}; did you mean {close[0]!r}?" if close else f"object: {error};"
        raise spot.refuse(f"{told} Or give a length in metres", "object") from error


def _count(table: Mapping[str, Any], spot: Spot) -> int | None:
    """Return how many the statement speaks of."""
    value = table.get("count")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1000:
        raise spot.refuse(f"count is {value!r}; a whole number from 1 to 1000 is expected", "count")
    return value


def _window(table: Mapping[str, Any], spot: Spot) -> tuple[date, date]:
    """Return the first and the last day of the window."""
    start, end = day_of(table, "from", spot), day_of(table, "to", spot)
    if end < start:
        raise spot.refuse(f"from ({start}) is later than to ({end}): exchange them", "from")
    if (end - start).days >= MOST_DAYS:
        raise spot.refuse(f"the window {start} to {end} is longer than {MOST_DAYS} days", "to")
    return start, end


def _place(table: Mapping[str, Any], files: Files, spot: Spot) -> dict[str, Any]:
    """Return the fields of a claim that say where it is about."""
    place, geometry = (text_of(table, key, spot, needed=False) for key in ("place", "geometry"))
    if (place is None) == (geometry is None):
        raise spot.refuse(
            "say where by exactly one of place = 'site', place = 'site/zone' and geometry = 'FILE.geojson'"
        )
    if geometry is None:
        site, zone = _site(str(place), spot)
        return {"area": site, "zone": zone}
    words, _, zone = geometry.partition("#")
    return {"area": None, "zone": zone or None, "geometry": words, "file": _area_file(words, files, spot)}


def _area_file(words: str, files: Files, spot: Spot) -> Path:
    """Return the area file of the words of a claim."""
    if files is None:
        raise spot.refuse("a built-in file names sites only", "geometry")
    file = files / words if isinstance(files, Path) else files.get(words)
    if file is None or not file.is_file():
        raise spot.refuse(f"the area file {file or words} does not exist", "geometry")
    return file


def _site(place: str, spot: Spot) -> tuple[str, str | None]:
    """Return (site, zone) of "site" or "site/zone"."""
    from aoi.builtin import load_site, site_names

    site, slash, zone = place.partition("/")
    if site not in site_names():
        close = get_close_matches(site, site_names(), n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(site_names())}"
        raise spot.refuse(
            f"there is no built-in site {site!r}; {hint} Other places: geometry = 'FILE.geojson'", "place"
        )
    zones = [known.name for known in load_site(site).zones]
    if slash and zone not in zones:
        close = get_close_matches(zone, zones, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(zones)}"
        raise spot.refuse(f"{site} has no zone {zone!r}; {hint}", "place")
    return site, zone if slash else None


def _claim(table: Mapping[str, Any], *, publication: Publication, files: Files, spot: Spot) -> Claim:
    """Return one claim."""
    known_only(table, _CLAIM_KEYS, spot)
    name = text_of(table, "id", spot) or ""
    if not CLAIM_ID.fullmatch(name):
        raise spot.refuse(f"id {name!r} may hold letters, digits, '-' and '_', 40 at most", "id")
    kind = _kind(table, spot)
    start, end = _window(table, spot)
    place = _place(table, files, spot)
    known, length = _object(table, kind, spot)
    said_by, said_on = text_of(table, "published_by", spot, needed=False), table.get("published_on")
    own = Publication(
        title=publication.title,
        publisher=said_by or publication.publisher,
        published=day_of(table, "published_on", spot) if said_on is not None else publication.published,
        url=publication.url,
    )
    return Claim(
        id=name,
        statement=text_of(table, "statement", spot) or "",
        kind=kind,
        start=start,
        end=end,
        object=known,
        length_m=length,
        count=_count(table, spot),
        publication=own,
        notes=text_of(table, "notes", spot, needed=False),
        **place,
    )


def _not_toml(error: tomllib.TOMLDecodeError, path: str) -> UsageError:
    """Return the refusal of a text that is no TOML, with its line where that is known."""
    said = str(error)
    at = re.search(r" \(at line (\d+), column \d+\)$", said)
    where = f"{path}, line {at[1]}" if at else path
    told = said[: at.start()] if at else said
    return UsageError(
        f"{where}: it is not TOML ({told}). Texts stand in quotes, a date is written 2024-12-07, each key comes once"
    )


def parse_claims(text: str, *, name: str, path: str, files: Files) -> Claims:
    """Return the claims of a TOML text.

    Parameters
    ----------
    text
        With one table [source] and one or more [[claim]].
    name, path
        What the file is called in outputs and in messages.
    files
        The folder in which relative area files lie, or each of them by the words of the claims; None refuses them.

    Raises
    ------
    UsageError
        Where anything is missing, unknown or makes no sense; the message names the line.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(error, path) from error
    lines = tuple(text.splitlines())
    for key in document:
        if key not in ("source", "claim"):
            raise UsageError(f"{path}: there is no table {key!r}; known are [source] and [[claim]]")
    source, tables = document.get("source"), document.get("claim")
    if not isinstance(source, dict):
        raise UsageError(f"{path} has no [source] with title, publisher and published")
    if not isinstance(tables, list) or not tables:
        raise UsageError(f"{path} has no [[claim]]")
    if len(tables) > MOST_CLAIMS:
        raise UsageError(f"{path} has {len(tables)} claims; {MOST_CLAIMS} at most are checked together")
    publication = _publication(source, Spot(path=path, lines=lines, table="[source]"))
    spots = [Spot(path=path, lines=lines, table="[[claim]]", number=n) for n in range(1, len(tables) + 1)]
    claims = tuple(
        _claim(table, publication=publication, files=files, spot=spot)
        for table, spot in zip(tables, spots, strict=True)
    )
    seen: set[str] = set()
    for claim, spot in zip(claims, spots, strict=True):
        if claim.id in seen:
            raise spot.refuse(f"the id {claim.id!r} comes twice", "id")
        seen.add(claim.id)
    return Claims(name=name, publication=publication, claims=claims, text=text)


def load_claims(spec: str) -> Claims:
    """Return the claims of a file, or of a built-in file by its name.

    Parameters
    ----------
    spec
        Such as "syria-2024-12" or "claims/article.toml".

    Raises
    ------
    UsageError
        Where there is no such file, or something in it is wrong.
    """
    if spec in BUILT_IN:
        text = (package_files("revisit") / "claims_files" / f"{spec}.toml").read_text(encoding="utf-8")
        return parse_claims(text, name=spec, path=f"{spec}.toml (built in)", files=None)
    path = Path(spec).expanduser()
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path} has {path.stat().st_size} bytes; a file of claims has a few pages")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        known = ", ".join(BUILT_IN)
        raise UsageError(f"the claims {spec!r} cannot be read: {reason}. Built in: {known}") from error
    return parse_claims(text, name=path.stem, path=str(path), files=path.parent)
