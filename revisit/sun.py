"""Where the sun stands."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from math import asin, atan2, cos, degrees, radians, sin

J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)
"""Epoch of the series below. Universal time serves as dynamical time: a minute moves the sun by 0.001 degrees."""

LOWEST_SUN_DEG = 5.0
"""A lower sun on an image means that its hour is not known."""
PASS_TIME = time(10, 30)
"""Mean local solar time at which Sentinel-2 crosses the equator (ESA, mission guide)."""


def solar_position(when: datetime, lon_deg: float, lat_deg: float) -> tuple[float, float]:
    """Return the (elevation, azimuth) of the sun's centre, degrees; the azimuth runs clockwise from true north.

    The low-precision formulae behind NOAA's solar calculator (https://gml.noaa.gov/grad/solcalc/calcdetails.html),
    after J. Meeus, Astronomical Algorithms, 2nd ed., 1998, chapters 12, 13 and 25. Good to about 0.02 degrees between
    1950 and 2050; refraction, which lifts a low sun by up to 0.5 degrees, is left out.

    Parameters
    ----------
    when
        Aware time.
    lon_deg, lat_deg
        East and north positive.

    Examples
    --------
    >>> elevation, azimuth = solar_position(datetime(2024, 6, 21, 12, tzinfo=UTC), 0.0, 51.48)
    >>> round(elevation), round(azimuth)
    (62, 179)
    """
    days = (when - J2000).total_seconds() / 86400
    century = days / 36525
    mean_longitude = 280.46646 + century * (36000.76983 + century * 0.0003032)
    anomaly = radians(357.52911 + century * (35999.05029 - century * 0.0001537))
    centre = (
        sin(anomaly) * (1.914602 - century * (0.004817 + 0.000014 * century))
        + sin(2 * anomaly) * (0.019993 - 0.000101 * century)
        + sin(3 * anomaly) * 0.000289
    )
    node = radians(125.04 - 1934.136 * century)
    longitude = radians(mean_longitude + centre - 0.00569 - 0.00478 * sin(node))
    obliquity = radians(23.43929 - 0.013004 * century + 0.00256 * cos(node))
    ascension = atan2(cos(obliquity) * sin(longitude), cos(longitude))
    declination = asin(sin(obliquity) * sin(longitude))
    sidereal = radians(280.46061837 + 360.98564736629 * days + lon_deg)
    hour, lat = sidereal - ascension, radians(lat_deg)
    elevation = asin(sin(lat) * sin(declination) + cos(lat) * cos(declination) * cos(hour))
    west, south = sin(hour) * cos(declination), cos(hour) * sin(lat) * cos(declination) - sin(declination) * cos(lat)
    return degrees(elevation), (degrees(atan2(west, south)) + 180) % 360


def sun_over(
    acquired: datetime, lon: float, lat: float, *, told: tuple[float | None, float | None] = (None, None)
) -> tuple[float, float]:
    """Return the sun's (elevation, azimuth), degrees, over a place on an image.

    Parameters
    ----------
    acquired
        When it was taken. Imported scenes may have a day and no hour: where the sun would be lower than LOWEST_SUN_DEG,
        the hour is taken to be that of Sentinel-2's pass.
    lon, lat
        Of the place, degrees.
    told
        (elevation, azimuth) as the scene tells them, None where it does not.
    """
    if told[0] is not None and told[1] is not None:
        return max(told[0], LOWEST_SUN_DEG), told[1]
    elevation, azimuth = solar_position(acquired, lon, lat)
    if elevation < LOWEST_SUN_DEG:
        passing = datetime.combine(acquired.date(), PASS_TIME, UTC) - timedelta(hours=lon / 15)
        elevation, azimuth = solar_position(passing, lon, lat)
    return max(elevation, LOWEST_SUN_DEG), azimuth
