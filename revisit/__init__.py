"""The application: the only package that knows areas, imagery and detection at once."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from revisit.pipeline import run
    from revisit.recipe import Recipe
    from revisit.result import Result

__version__ = "0.1.0"

__all__ = ["Recipe", "Result", "__version__", "run"]

_HOMES = {"run": "revisit.pipeline", "Recipe": "revisit.recipe", "Result": "revisit.result"}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for, so that `revisit --help` needs no heavy library."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
