"""The verdicts of a check as text for a terminal."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path

from revisit.check import Dossier
from revisit.dossier_view import radar_lines, summary_line
from revisit.errors import one_line
from revisit.evidence import Verdict

WIDEST = 120
_STATEMENT, _OUTCOME = 48, 22


def _lines(statement: str, verdict: Verdict, width: int) -> list[str]:
    """Return a claim's lines: what was said, the verdict, and the reason that decided it."""
    short = textwrap.shorten(f'"{one_line(statement)}"', _STATEMENT, placeholder='..."')
    head = f"  {verdict.id:<5} {short:<{_STATEMENT}}  {verdict.verdict:<{_OUTCOME}}".rstrip()
    indent = 8 * " "
    told = one_line(verdict.reasons[0])
    reason = textwrap.wrap(told, width, initial_indent=indent, subsequent_indent=indent)
    return [head, *reason]


def dossier_text(dossier: Dossier, folder: Path, sha256: str | None) -> str:
    """Return what a check found.

    Parameters
    ----------
    dossier
        Of the check.
    folder
        Where it was written.
    sha256
        Of the evidence pack; None where there is none.
    """
    width = min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST)
    said = {claim.id: claim.statement for claim in dossier.claims.claims}
    lines = ["SIMULATED scenes: nothing here is real imagery"] if dossier.simulated else []
    lines.append(summary_line(dossier))
    lines += [f"{head} {text}" for head, text in radar_lines(dossier)]
    for verdict in dossier.verdicts:
        lines += _lines(said[verdict.id], verdict, width)
    pack = f", {folder / 'evidence.zip'} (sha256 {sha256})" if sha256 else "; no evidence pack: the check did not end"
    paper = f", {folder / 'report.pdf'}" if (folder / "report.pdf").is_file() else ""
    return "\n".join([*lines, f"{folder / 'report.html'}{paper}{pack}"])
