"""`revisit doctor`: whether everything is in place, and which sources answer."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Annotated

import typer

from revisit.cli.terminal import print_json, tell
from revisit.errors import SOURCE_FAILED, one_line

AsJson = Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")]


def doctor(as_json: AsJson = False) -> None:
    """Check libraries, cache and credentials, ask every source, and say what to do about each failure.

    Credentials are never shown. Exit codes: 0 at least one source of imagery answers, 3 none does.

    Example: revisit doctor
    """
    from revisit.doctor import can_run, examine
    from revisit.settings import load_settings

    settings = load_settings(os.environ)
    tell("asking the sources; this takes half a minute at most")
    findings = examine(settings)
    if as_json:
        print_json({"can_run": can_run(findings), "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            took = "" if finding.seconds is None else f" ({finding.seconds:.1f} s)"
            typer.echo(f"{finding.outcome:<8}{finding.name:<19}{one_line(finding.found)}{took}")
            if finding.advice:
                typer.echo(f"{'':<27}{one_line(finding.advice)}")
    if not can_run(findings):
        tell("no source of imagery answers; what is in the cache can still be used (--offline)")
        raise typer.Exit(SOURCE_FAILED)
