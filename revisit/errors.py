"""Errors of the application, and the exit code that each kind of failure has."""

from __future__ import annotations

from imagery.errors import (
    BudgetError,
    CredentialsError,
    InsufficientImageryError,
    NoSceneError,
    RefusedFileError,
    SceneError,
    SourceError,
)

DONE, CHANGED, WRONG_INPUT, SOURCE_FAILED, INSUFFICIENT, INTERRUPTED = 0, 1, 2, 3, 4, 130
"""Exit codes: done; done with --fail-on-change and a change seen; wrong input; a source failed or answered in part;
imagery insufficient; stopped with Ctrl-C."""


class UsageError(ValueError):
    """What the user asked for cannot be done as asked; the message shows the values and what to do."""


def exit_code(error: BaseException) -> int | None:
    """Return the exit code of a failure that the user can understand and mend; None for a bug."""
    if isinstance(error, UsageError):
        return WRONG_INPUT
    from aoi import AOIError

    codes = (
        ((AOIError, RefusedFileError, SceneError, NoSceneError, CredentialsError, BudgetError), WRONG_INPUT),
        (SourceError, SOURCE_FAILED),
        (InsufficientImageryError, INSUFFICIENT),
    )
    return next((code for kinds, code in codes if isinstance(error, kinds)), None)


def one_line(message: str) -> str:
    """Return a message as one line of printable text: what came from files must not steer the user's terminal."""
    return "".join(c if c.isprintable() else " " for c in message).strip()
