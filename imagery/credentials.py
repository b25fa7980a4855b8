"""Secrets and where they are sent: values that cannot show themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn


class Secret:
    """A text that is never shown: not by `repr`, `str`, `format`, pickle or a dump of the object's attributes.

    Examples
    --------
    >>> secret = Secret("abc")
    >>> f"{secret} {secret!r}", secret.reveal()
    ('<secret> <secret>', 'abc')
    """

    __slots__ = ("_reveal",)

    def __init__(self, text: str) -> None:
        # In a closure: what walks over attributes finds a function, not the text.
        self._reveal: Callable[[], str] = lambda: text

    def reveal(self) -> str:
        """Return the text, to be handed to whom it is meant for and to nobody else."""
        return self._reveal()

    def __repr__(self) -> str:
        return "<secret>"

    def __format__(self, _: str) -> str:
        return "<secret>"

    def __deepcopy__(self, _: dict[int, Any]) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """An OAuth client of Sentinel Hub."""

    client_id: Secret
    """No secret by itself, but it names the account."""
    client_secret: Secret


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One installation of Sentinel Hub; an account of one does not work at another."""

    name: str
    """"cdse", "sentinel-hub", or "own" for addresses that the user gave."""
    url: str
    """Root of its interfaces, without a slash at the end."""
    token_url: str
    """Where the credentials are sent, and nothing else."""

    @property
    def title(self) -> str:
        """As people call it."""
        return TITLES.get(self.name, f"the Sentinel Hub at {self.url}")


TITLES = {"cdse": "Copernicus Data Space", "sentinel-hub": "Sentinel Hub (Planet)"}
DEPLOYMENTS = {
    "cdse": Deployment(
        name="cdse",
        url="https://sh.dataspace.copernicus.eu",
        token_url="https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token",  # noqa: S106
    ),
    "sentinel-hub": Deployment(
        name="sentinel-hub",
        url="https://services.sentinel-hub.com",
        token_url="https://services.sentinel-hub.com/auth/realms/main/protocol/openid-connect/token",  # noqa: S106
    ),
}
"""The public ones, by name (documentation of both providers, 2026)."""
DASHBOARDS = {
    "cdse": "https://shapps.dataspace.copernicus.eu/dashboard/#/account/settings",
    "sentinel-hub": "https://apps.sentinel-hub.com/dashboard/#/account/settings",
}
"""Where a person makes an OAuth client for each of them."""


def where_from(deployment: Deployment) -> str:
    """Return where credentials come from and where they are looked for."""
    others = [one for one in DEPLOYMENTS.values() if one.name != deployment.name]
    elsewhere = " or ".join(f'{one.title} (deployment "{one.name}")' for one in others)
    page = f" made at {DASHBOARDS[deployment.name]}" if deployment.name in DASHBOARDS else ""
    return (
        f"SH_CLIENT_ID and SH_CLIENT_SECRET, in the environment or as client_id and client_secret under [sentinel_hub]"
        f" in the config file, must be those of an OAuth client of {deployment.title}{page}; those of {elsewhere} do"
        " not work here"
    )
