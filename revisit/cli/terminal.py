"""Printing: data to stdout, everything else to stderr, nothing that steers the terminal."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from revisit.errors import one_line
from revisit.plain import to_json

if TYPE_CHECKING:
    from imagery.exchange import Traffic


@dataclass(kw_only=True)
class Session:
    """What one call of the command line shares between the root and the place where errors are explained."""

    verbose: bool = False
    """Whether an error shows where it comes from."""


@dataclass(kw_only=True)
class _Meter:
    """The line on stderr that is written again and again: what came over the network so far."""

    started: float = 0.0
    shown: float = 0.0
    """When it was last written, by the monotonic clock; 0 where it does not stand on the terminal."""

    def clear(self) -> None:
        """Make room for a line that stays."""
        if self.shown:
            typer.echo("\r\x1b[K", nl=False, err=True)
            self.shown = 0.0

    def show(self, traffic: Traffic) -> None:
        """Write it, a few times a second, on a terminal only."""
        now = time.monotonic()
        self.started = self.started or now
        if now - self.shown < SECONDS_BETWEEN or not sys.stderr.isatty():
            return
        self.shown = now
        pace = traffic.received_bytes / max(now - self.started, 1.0) / 1e6
        text = f"{traffic.received_bytes / 1e6:.1f} MB in {traffic.requests} requests, {pace:.1f} MB/s"
        text += f", {traffic.retries} repeated" if traffic.retries else ""
        typer.echo(f"\r\x1b[K{text}", nl=False, err=True)


_METER = _Meter()
SECONDS_BETWEEN = 0.2


def meter(traffic: Traffic) -> None:
    """Show what came over the network so far; safe to call at any rate, from one thread at a time."""
    _METER.show(traffic)


def tell(line: str) -> None:
    """Print a line of progress on stderr."""
    _METER.clear()
    typer.echo(one_line(line), err=True)


def warn(line: str) -> None:
    """Print a warning on stderr."""
    _METER.clear()
    typer.echo(f"warning: {one_line(line)}", err=True)


def fail(line: str) -> None:
    """Print the one line of an error on stderr."""
    _METER.clear()
    typer.echo(f"revisit: {one_line(line)}", err=True)


def print_json(value: Any) -> None:
    """Print a value as JSON on stdout."""
    typer.echo(to_json(value), nl=False)
