"""What chance alone gives: counts of rare events, and many claims looked at together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from revisit.evidence import Verdict

FALSE_DISCOVERIES = 0.05
"""Share of the supported verdicts of one file that chance alone may give (Benjamini and Hochberg 1995)."""


def poisson_tail(count: int, mean: float) -> float:
    """Return the probability of `count` or more events where `mean` are expected (Poisson)."""
    if count <= 0:
        return 1.0
    terms, term = 0.0, math.exp(-mean)
    for k in range(count):
        terms += term
        term *= mean / (k + 1)
    return max(1.0 - terms, 0.0)


def control(verdicts: Sequence[Verdict], *, share: float = FALSE_DISCOVERIES) -> tuple[Verdict, ...]:
    """Return the verdicts of one file with the share of false discoveries held down.

    Verdicts that rest on a flag are kept where Benjamini and Hochberg's procedure (1995, doi
    10.1111/j.2517-6161.1995.tb02031.x) over all p-values of the file keeps them; the others become inconclusive.

    Parameters
    ----------
    verdicts
        Of all claims that were checked together.
    share
        Of false ones among those that are kept, 0 to 1.
    """
    known = sorted(v.p_value for v in verdicts if v.p_value is not None)
    passing = [p for rank, p in enumerate(known, 1) if p <= share * rank / len(known)]
    limit = max(passing, default=-1.0)
    return tuple(_controlled(verdict, limit, len(known)) for verdict in verdicts)


def _controlled(verdict: Verdict, limit: float, tests: int) -> Verdict:
    """Return a verdict, made inconclusive where its p-value does not stand up beside those of the others."""
    rests = verdict.verdict in {"supported", "contradicted"} and verdict.p_value is not None
    if not rests or (verdict.p_value or 0.0) <= limit:
        return verdict
    reason = (
        f"alone it would be {verdict.verdict}, but {tests} statements were tested together, and chance gives such a"
        f" flag in one of them too often (p {verdict.p_value:.2g})"
    )
    change = ("another look in the window, by any sensor, that shows the same",)
    return replace(verdict, verdict="inconclusive", reasons=(reason, *verdict.reasons), would_change_it=change)
