"""The `revisit` command: its sub-commands, and the one place where an error becomes a line and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer

from revisit import __version__
from revisit.cli.area import area_app
from revisit.cli.cache import cache_app
from revisit.cli.check import check
from revisit.cli.compare import compare
from revisit.cli.demo import demo
from revisit.cli.detectability import detectability
from revisit.cli.doctor import doctor
from revisit.cli.export import export
from revisit.cli.import_ import import_scenes
from revisit.cli.replay import replay
from revisit.cli.rfi import rfi
from revisit.cli.scenes import scenes
from revisit.cli.series import series
from revisit.cli.sites import sites
from revisit.cli.survey import survey
from revisit.cli.terminal import Session, fail
from revisit.cli.verify import verify
from revisit.cli.view import view
from revisit.cli.watch import watch_app
from revisit.errors import DONE, INTERRUPTED, WRONG_INPUT, exit_code

BROKEN_PIPE = 141
"""What a shell reports for a program that SIGPIPE ended: 128 + 13."""

# Plain help: the formatted one costs a third of the time that `revisit --help` may take.
app = typer.Typer(
    name="revisit",
    epilog="Start with: revisit demo",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("sites")(sites)
app.add_typer(area_app, name="area")
app.command("import")(import_scenes)
app.command("scenes")(scenes)
app.command("compare")(compare)
app.command("series")(series)
app.command("detectability")(detectability)
app.command("rfi")(rfi)
app.command("check")(check)
app.command("verify")(verify)
app.command("replay")(replay)
app.add_typer(watch_app, name="watch")
app.command("survey")(survey)
app.command("demo")(demo)
app.add_typer(cache_app, name="cache")
app.command("doctor")(doctor)
app.command("export")(export)
app.command("view")(view)


def _print_version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        typer.echo(f"revisit {__version__}")
        raise typer.Exit(DONE)


Version = Annotated[bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show where an error comes from.")]


@app.callback(invoke_without_command=True)
def root(context: typer.Context, version: Version = False, verbose: Verbose = False) -> None:  # noqa: ARG001 - eager
    """Show what changed on the ground between two dates, from public Sentinel imagery, and what could not be seen."""
    context.ensure_object(Session).verbose = verbose
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _explain(error: Exception, session: Session) -> int:
    """Print the one line of an error that the user can mend and return its exit code; raise what is a bug."""
    code = exit_code(error)
    if code is None:
        raise error
    if session.verbose:
        traceback.print_exception(error)
    fail(str(error))
    return code


def _explain_usage(error: typer.TyperException) -> int:
    """Print the one line of a wrong command line and return its exit code."""
    context = getattr(error, "ctx", None)
    where = context.command_path if context else "revisit"
    fail(f"{error.format_message().rstrip('.')}. See `{where} --help`.")
    return WRONG_INPUT


def _quiet_pipe() -> int:
    """Say nothing when whoever read our output has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE


def call(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments
        Without the program's name; None: those of the process.
    """
    session = Session()
    try:
        code = int(app(arguments, prog_name="revisit", standalone_mode=False, obj=session) or DONE)
    except typer.Abort:
        code = INTERRUPTED
    except SystemExit:
        # Typer's only way out of here: it exits with 1, our code for a change, when nobody reads its output.
        return _quiet_pipe()
    except typer.TyperException as error:
        return _explain_usage(error)
    except (ValueError, LookupError, OSError) as error:
        return _explain(error, session)
    if code == INTERRUPTED:
        fail("stopped")
    return code


def main() -> None:
    """Run the command line of the process."""
    sys.exit(call())
