"""What a check leaves: its folder, written whole, with the verdicts, the report and the evidence pack."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from detect import surface
from revisit import chance, comparing, evidence, gathering, lookplan, verdict, weighing
from revisit.check import Dossier
from revisit.dossier_report import render_dossier
from revisit.errors import UsageError
from revisit.evidence import Verdict
from revisit.manifest import software
from revisit.outputs import check_place, staged
from revisit.pack import write_pack
from revisit.plain import rounded, write_json
from revisit.stamping import SUFFIX

SCHEMA = "revisit/check/1"
CHECK, CLAIMS, VERDICTS, REPORT, PACK = "check.json", "claims.toml", "verdicts.json", "report.html", "evidence.zip"
PDF, STAMP = "report.pdf", f"{PACK}{SUFFIX}"
BESIDE = frozenset({PACK, PDF, STAMP})
"""What lies beside the pack and not in it: a browser prints other bytes each time."""
_OURS = {CHECK, CLAIMS, VERDICTS, REPORT, "inputs", "runs", *BESIDE}


def parameters() -> dict[str, Any]:
    """Return the numbers that decide verdicts."""
    return {
        "false_alarms_per_km2": list(comparing.RATES),
        "false_in_place": comparing.FALSE_IN_PLACE,
        "activity_false_alarms_per_km2": comparing.ACTIVITY_RATE,
        "baseline": comparing.BASELINE,
        "placements": comparing.PLACEMENTS,
        "size_factors": list(gathering.SIZE_FACTORS),
        "least_valid_share": evidence.LEAST_VALID,
        "days_before": lookplan.BACK_DAYS,
        "days_after": lookplan.ON_DAYS,
        "least_pd": verdict.LEAST_PD,
        "sure_pd": weighing.SURE_PD,
        "least_likelihood_ratio": weighing.LEAST_RATIO,
        "most_p_per_place": weighing.MOST_P,
        "same_spot_m": weighing.NEAR_M,
        "edge_hours": verdict.EDGE / timedelta(hours=1),
        "surface_share": verdict.SURFACE_SHARE,
        "no_surface_share": verdict.NO_SURFACE_SHARE,
        "surface_usual_share": surface.USUAL_SHARE,
        "surface_trials": surface.TRIALS,
        "stay_hours": dict(verdict.STAY_HOURS),
        "false_discoveries": chance.FALSE_DISCOVERIES,
    }


def plain_verdict(one: Verdict) -> dict[str, Any]:
    """Return a verdict as plain JSON values."""
    return {
        "id": one.id,
        "verdict": one.verdict,
        "reasons": list(one.reasons),
        "pd": rounded(one.pd, 4),
        "likelihood_ratio": rounded(one.likelihood_ratio, 4),
        "scenes": list(one.scenes),
        "flags": list(one.flags),
        "would_change_it": list(one.would_change_it),
    }


def check_record(dossier: Dossier) -> dict[str, Any]:
    """Return what was asked, with what, and whether that came to its end, as plain JSON values."""
    return {
        "schema": SCHEMA,
        "command": f"revisit check {dossier.claims.name} --source {dossier.spec}",
        "claims": dossier.claims.name,
        "source": dossier.spec,
        "areas": [
            {"slug": one.area.slug, "where": one.area.where, "radar": one.radar or "looked at"} for one in dossier.areas
        ],
        "complete": dossier.complete,
        "failure": dossier.failure,
        "undecided": list(dossier.undecided),
        "simulated": dossier.simulated,
        "warnings": [warning for one in dossier.areas for warning in one.warnings],
        "parameters": parameters(),
        "software": software(),
    }


def check_folder(folder: Path) -> None:
    """Refuse a place where no check may be written: a file, or a folder with anything that no check wrote.

    Raises
    ------
    UsageError
        With what is in the way.
    """
    check_place(folder, kind="check", names=_OURS, is_ours=lambda place: _schema(place / CHECK) == SCHEMA)


def _schema(path: Path) -> str | None:
    """Return the schema that a file of ours names; None where it is none."""
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["schema"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def dossier_folder(target: Path) -> Iterator[Path]:
    """Give a folder in which a check is made, and move it to its target when it has come to an end of its own.

    Raises
    ------
    UsageError
        Where the target holds anything else, or cannot be written.
    """
    whole = Path(os.path.realpath(target))
    check_folder(whole)
    try:
        with staged(whole, check_folder) as stage:
            yield stage
    except OSError as error:
        if error.filename is None:
            raise
        raise UsageError(f"{target} cannot be written: {error.strerror or error}") from error


def write_dossier(dossier: Dossier, folder: Path) -> str | None:
    """Write verdicts, report and pack beside the inputs and runs that the check left in a folder.

    Returns
    -------
    SHA-256 of the evidence pack; None where the source ended the check, which no pack could repeat.
    """
    (folder / CLAIMS).write_text(dossier.claims.text, encoding="utf-8", newline="\n")
    write_json(folder / VERDICTS, [plain_verdict(one) for one in dossier.verdicts])
    record = check_record(dossier)
    write_json(folder / CHECK, record)
    (folder / REPORT).write_text(render_dossier(dossier), encoding="utf-8", newline="\n")
    if dossier.failure is not None:
        return None
    about = {key: record[key] for key in ("command", "simulated", "software")}
    return write_pack(folder, folder / PACK, about=about)
