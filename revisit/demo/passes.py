"""The passes of the demo: which days, which satellite, which sky."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

Sky = Literal["clear", "haze", "cloud"]

BEFORE, AFTER = date(2024, 12, 7), date(2024, 12, 17)
"""The two dates that the demo compares."""
ORBIT = 121
PROCESSING_BASELINE = "05.11"
_DAYS = (
    date(2024, 9, 3), date(2024, 9, 8), date(2024, 9, 13), date(2024, 9, 23), date(2024, 9, 28),
    date(2024, 10, 8), date(2024, 10, 13), date(2024, 10, 18), date(2024, 10, 23),
    date(2024, 11, 2), date(2024, 11, 7), date(2024, 11, 12), date(2024, 11, 22), date(2024, 11, 27), BEFORE, AFTER,
)  # fmt: skip
# The other passes of the five-day rhythm count as lost to cloud; 2024-12-12 among them, so that nothing lies between.
_SKY: dict[date, Sky] = {date(2024, 10, 23): "cloud", date(2024, 11, 12): "haze"}
_MISCLASSIFIED = {date(2024, 9, 13), date(2024, 10, 8), date(2024, 11, 2), date(2024, 11, 27), AFTER}
"""On these the scene classification calls the new concrete cloud."""


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One acquisition."""

    acquired: datetime
    """UTC, aware."""
    platform: str
    """"sentinel-2a" or "sentinel-2b"."""
    sky: Sky
    bright_is_cloud: bool
    """Whether the scene classification calls the new concrete cloud."""

    @property
    def item_id(self) -> str:
        """Name of the scene: whoever meets it alone must see what it is."""
        return f"S2{self.platform[-1].upper()}_SIMULATED_{self.acquired:%Y%m%dT%H%M%S}"


def calendar() -> tuple[Pass, ...]:
    """Return the passes, oldest first: every five to ten days, satellites A and B in turn, at 08:2x UTC."""
    passes = []
    for day in _DAYS:
        orbits = (AFTER - day).days // 5
        # Neighbouring passes over one place differ by some seconds.
        time = datetime(day.year, day.month, day.day, 8, 22, 41, tzinfo=UTC) + timedelta(seconds=orbits * 7 % 19)
        passes.append(Pass(acquired=time, platform=f"sentinel-2{'ab'[orbits % 2]}", sky=_SKY.get(day, "clear"),
                           bright_is_cloud=day in _MISCLASSIFIED))  # fmt: skip
    return tuple(passes)
