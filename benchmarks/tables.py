"""Counts with their uncertainty, and tables in text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import chi2

Z = 1.959964
"""Quantile of the normal distribution for 95 %."""


@dataclass(frozen=True)
class Proportion:
    """Hits among trials, with Wilson's score interval (1927, doi 10.1080/01621459.1927.10502953)."""

    hits: int
    n: int

    @property
    def share(self) -> float:
        """Of hits."""
        return self.hits / self.n

    @property
    def bounds(self) -> tuple[float, float]:
        """Of the 95 % interval."""
        spread = Z**2 / self.n
        middle = (self.share + spread / 2) / (1 + spread)
        half = Z / (1 + spread) * (self.share * (1 - self.share) / self.n + spread / (4 * self.n)) ** 0.5
        return max(0.0, middle - half), min(1.0, middle + half)

    @property
    def high(self) -> float:
        """Upper bound."""
        return self.bounds[1]

    @property
    def interval(self) -> str:
        """As text."""
        return "{:.3f}-{:.3f}".format(*self.bounds)

    @property
    def text(self) -> str:
        """Share, interval and counts."""
        return f"{self.share:.3f} ({self.interval}; {self.hits} of {self.n})"


@dataclass(frozen=True)
class Rate:
    """Rare events over an amount, with Garwood's exact Poisson interval (1936, doi 10.1093/biomet/28.3-4.437)."""

    count: int
    amount: float

    @property
    def per_unit(self) -> float:
        """Events per unit."""
        return self.count / self.amount

    @property
    def bounds(self) -> tuple[float, float]:
        """Of the 95 % interval, per unit."""
        low = chi2.ppf(0.025, 2 * self.count) / 2 if self.count else 0.0
        return float(low) / self.amount, float(chi2.ppf(0.975, 2 * self.count + 2) / 2) / self.amount

    @property
    def interval(self) -> str:
        """As text."""
        return "{:.2f}-{:.2f}".format(*self.bounds)


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows as lines of equal columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return [f"  {line.rstrip()}" for line in cells]
