"""The sun's place against published values."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from revisit.sun import solar_position

PLACES = {
    # Reda and Andreas, Solar Position Algorithm, NREL/TP-560-34302, appendix A.5; zenith 50.11 deg with refraction.
    "golden": (datetime(2003, 10, 17, 19, 30, 30, tzinfo=UTC), -105.1786, 39.742476, 39.888, 194.340),
    # At an equinox (2024-03-20 03:06 UTC) the sun stands in the zenith where it culminates on the equator.
    "equator": (datetime(2024, 3, 20, 3, 6, tzinfo=UTC), 135.4, 0.0, 90.0, None),
    # At the June solstice it culminates at 90 - latitude + obliquity.
    "greenwich": (datetime(2024, 6, 20, 12, 2, tzinfo=UTC), 0.0, 51.48, 90 - 51.48 + 23.44, 180.0),
    "sydney": (datetime(2024, 12, 21, 1, 53, tzinfo=UTC), 151.2, -33.87, 90 - 33.87 + 23.44, 0.0),
}


@pytest.mark.parametrize("place", PLACES)
def test_the_sun_stands_where_it_is_known_to_stand(place: str) -> None:
    when, lon, lat, elevation, azimuth = PLACES[place]
    found = solar_position(when, lon, lat)
    assert found[0] == pytest.approx(elevation, abs=0.5)
    if azimuth is not None:
        assert abs((found[1] - azimuth + 180) % 360 - 180) < 0.5 / max(0.2, 1 - elevation / 90)


def test_a_winter_morning_at_khmeimim() -> None:
    # Noon at 35.95 E is near 09:30 UTC in December: at 08:22 the sun is still east of south, under 31.2 deg.
    elevation, azimuth = solar_position(datetime(2024, 12, 17, 8, 22, tzinfo=UTC), 35.949, 35.401)
    assert 25 < elevation < 90 - 35.4 - 23.4
    assert 155 < azimuth < 170
