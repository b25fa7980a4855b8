"""Radio interference as Sentinel-1's own processor recorded it: the product's `annotation/rfi` files.

Since processor 3.40 (March 2022) each polarisation has one. It holds reports of two kinds: from noise pulses, which
listen where nothing was sent, once every few seconds and swath; and from the bursts of the image, where a mitigation
was applied. Both tell when along the flight, not where across it: interference is located in azimuth only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from xml.etree.ElementTree import Element

from imagery.documents import MAX_XML_BYTES, parse_xml
from imagery.errors import MissingFileError, RefusedFileError

MOST_REPORTS = 5_000
"""A slice of 30 s has some 40 reports of noise and 30 of bursts; a whole pass would have a hundred times as many."""
NO_MITIGATION = "None"
Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class NoiseReport:
    """What one noise pulse heard."""

    swath: str
    """IW1, IW2 or IW3."""
    time: datetime
    """UTC, aware."""
    detected: bool
    """Whether the processor calls it interference."""
    divergence: float
    """Largest Kullback-Leibler divergence of its samples from Gaussian noise."""
    fisher_z: float
    """Largest Fisher Z of its spectrum."""
    power: float
    """Largest spectral density of the interference; 0 where none was detected."""


@dataclass(frozen=True, kw_only=True)
class BurstReport:
    """What was found, and taken out, in one burst of the image."""

    swath: str
    time: datetime
    """UTC of its first line, aware."""
    power_ratio: float
    """Power in over power out of the band."""
    pulsed_lines: float | None
    """Percent of its lines with interference that is short in time; None where no mitigation looked for it."""
    tonal_lines: float | None
    """Percent of its lines with isolated interference that is narrow in frequency; None as above."""
    persistent_blocks: float | None
    """Percent of its blocks with persistent interference that is narrow in frequency; None as above."""


@dataclass(frozen=True, kw_only=True)
class RfiAnnotation:
    """The interference file of one polarisation of one product."""

    platform: str
    """S1A and so on."""
    polarisation: str
    start: datetime
    stop: datetime
    """UTC, aware."""
    absolute_orbit: int
    mitigation: str
    """"None", or the method that was applied to the image, such as "TimeFrequency": it may hide stripes."""
    noise: tuple[NoiseReport, ...]
    bursts: tuple[BurstReport, ...]

    @property
    def mitigated(self) -> bool:
        """Return whether a mitigation was applied to the image."""
        return self.mitigation != NO_MITIGATION

    @property
    def detections(self) -> tuple[NoiseReport, ...]:
        """Return the noise pulses in which interference was detected."""
        return tuple(report for report in self.noise if report.detected)

    def between(self, first: datetime, last: datetime) -> tuple[NoiseReport, ...]:
        """Return the detections between two times: those over an area, once its times are known (`azimuth_times`)."""
        return tuple(report for report in self.detections if first <= report.time <= last)


def _text(node: Element, path: str) -> str:
    found = node.find(path)
    if found is None or not (found.text or "").strip():
        raise RefusedFileError(f"an interference file without {path} in its {node.tag}")
    return str(found.text).strip()


def _read(node: Element, path: str, parse: Callable[[str], Value]) -> Value:
    text = _text(node, path)
    try:
        return parse(text)
    except ValueError as error:
        raise RefusedFileError(f"{path} is {text[:40]!r} in an interference file, which is no value of it") from error


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _time(text: str) -> datetime:
    """Return a time; the product writes UTC without saying so."""
    when = datetime.fromisoformat(text)
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def _truth(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError(text)
    return text == "true"


def _noise(node: Element) -> NoiseReport:
    return NoiseReport(
        swath=_text(node, "swath"),
        time=_read(node, "noiseSensingTime", _time),
        detected=_read(node, "rfiDetected", _truth),
        divergence=_read(node, "maxKLDivergence", _number),
        fisher_z=_read(node, "maxFisherZ", _number),
        power=_read(node, "maxRfiPsd", _number),
    )


def _percent(node: Element, path: str) -> float | None:
    """Return a figure of the mitigation, None where the burst had none."""
    return None if node.find(path) is None else _read(node, path, _number)


def _burst(node: Element) -> BurstReport:
    return BurstReport(
        swath=_text(node, "swath"),
        time=_read(node, "azimuthTime", _time),
        power_ratio=_read(node, "inBandOutBandPowerRatio", _number),
        pulsed_lines=_percent(node, "timeDomainRfiReport/percentageAffectedLines"),
        tonal_lines=_percent(node, "frequencyDomainRfiBurstReport/isolatedRfiReport/percentageAffectedLines"),
        persistent_blocks=_percent(node, "frequencyDomainRfiBurstReport/percentageBlocksPersistentRfi"),
    )


def parse_rfi(content: bytes) -> RfiAnnotation:
    """Parse an interference file.

    Raises
    ------
    RefusedFileError
        Where it is unsafe, too large, or no such file; the message names what is missing.
    """
    root = parse_xml(content)
    if root.tag != "rfi":
        raise RefusedFileError(f"an interference file begins with <rfi>, not <{root.tag[:40]}>")
    noise = root.findall("rfiDetectionFromNoiseReportList/rfiDetectionFromNoiseReport")
    bursts = root.findall("rfiBurstReportList/rfiBurstReport")
    if len(noise) + len(bursts) > MOST_REPORTS:
        raise RefusedFileError(f"{len(noise) + len(bursts):,} reports, over the cap of {MOST_REPORTS:,}")
    return RfiAnnotation(
        platform=_text(root, "adsHeader/missionId"),
        polarisation=_text(root, "adsHeader/polarisation"),
        start=_read(root, "adsHeader/startTime", _time),
        stop=_read(root, "adsHeader/stopTime", _time),
        absolute_orbit=_read(root, "adsHeader/absoluteOrbitNumber", int),
        mitigation=_text(root, "rfiMitigationApplied"),
        noise=tuple(_noise(node) for node in noise),
        bursts=tuple(_burst(node) for node in bursts),
    )


def read_rfi(product: Path) -> tuple[RfiAnnotation, ...]:
    """Read the interference files of a SAFE folder, one a polarisation.

    Returns
    -------
    tuple[RfiAnnotation, ...]
        Empty where the product has none, as before processor 3.40: then nothing is known, not that there was none.

    Raises
    ------
    MissingFileError
        Where there is no such product.
    RefusedFileError
        Where a file cannot be read or is refused; the message names it.
    """
    if not (product / "manifest.safe").is_file():
        raise MissingFileError(f"{product} holds no manifest.safe: give the .SAFE folder of a Sentinel-1 product")
    return tuple(_read_file(path) for path in sorted((product / "annotation" / "rfi").glob("*.xml")))


def _read_file(path: Path) -> RfiAnnotation:
    try:
        with path.open("rb") as file:
            return parse_rfi(file.read(MAX_XML_BYTES + 1))
    except RefusedFileError as error:
        raise RefusedFileError(f"{path.name}: {error}") from error
    except OSError as error:
        raise RefusedFileError(f"{path.name}: cannot be read ({error.strerror})") from error


def azimuth_times(
    footprint: list[tuple[float, float]],
    times: tuple[datetime, datetime],
    points: list[tuple[float, float]],
    *,
    ascending: bool,
) -> tuple[datetime, datetime]:
    """Return when the radar flew by an area: the earliest and latest time of its points.

    The footprint's first and last edge are crossed at the product's first and last time; between them time runs evenly,
    which is good to about a tenth of a second, half a kilometre of flight.

    Parameters
    ----------
    footprint
        (lon, lat) of the product's four corners, in the manifest's order: two on one edge across the flight, then two
        on the other.
    times
        Of the product's first and last line.
    points
        (lon, lat) of the area.
    ascending
        Whether the satellite flew north.
    """
    ends = [[sum(axis) / 2 for axis in zip(*footprint[k : k + 2], strict=True)] for k in (0, 2)]
    begin, end = sorted(ends, key=lambda end: end[1], reverse=not ascending)
    shrink = math.cos(math.radians((begin[1] + end[1]) / 2))
    # Across the flight: the direction of an edge. A point's share of the way is measured along what is normal to it.
    across = ((footprint[1][0] - footprint[0][0]) * shrink, footprint[1][1] - footprint[0][1])
    normal = (-across[1], across[0])

    def along(lon: float, lat: float) -> float:
        return float((lon - begin[0]) * shrink * normal[0] + (lat - begin[1]) * normal[1])

    shares = [along(*point) / along(end[0], end[1]) for point in points]
    span = times[1] - times[0]
    return times[0] + min(shares) * span, times[0] + max(shares) * span
