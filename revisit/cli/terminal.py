"""Printing: data to stdout, everything else to stderr, nothing that steers the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import typer

from revisit.errors import one_line
from revisit.plain import to_json


@dataclass(kw_only=True)
class Session:
    """What one call of the command line shares between the root and the place where errors are explained."""

    verbose: bool = False
    """Whether an error shows where it comes from."""


def tell(line: str) -> None:
    """Print a line of progress on stderr."""
    typer.echo(one_line(line), err=True)


def warn(line: str) -> None:
    """Print a warning on stderr."""
    typer.echo(f"warning: {one_line(line)}", err=True)


def fail(line: str) -> None:
    """Print the one line of an error on stderr."""
    typer.echo(f"revisit: {one_line(line)}", err=True)


def print_json(value: Any) -> None:
    """Print a value as JSON on stdout."""
    typer.echo(to_json(value), nl=False)
