"""Addresses, credentials and the cache: from the environment, then a config file, then the public defaults.

This is the only place that reads them; everything below gets values. Where each value came from is kept, for
`revisit doctor` and for messages; the values of credentials never are.
"""

from __future__ import annotations

import ipaddress
import math
import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from platformdirs import user_cache_path, user_config_path

from imagery.credentials import DEPLOYMENTS, Credentials, Deployment, Secret
from revisit.errors import UsageError

GIB = 1 << 30
DEFAULT = "default"
CONFIG_VARIABLE = "REVISIT_CONFIG"
LARGEST_FILE = 1 << 20
"""Bytes that a config file may have."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One value that a user can set."""

    key: str
    """In the config file: table and key."""
    variables: tuple[str, ...]
    """In the environment; the first that is set counts."""
    default: str = ""
    secret: bool = False


_SETTINGS = (
    Setting(
        key="earth_search.url",
        variables=("REVISIT_EARTH_SEARCH_URL",),
        default="https://earth-search.aws.element84.com/v1",
    ),
    Setting(
        key="planetary_computer.url",
        variables=("REVISIT_PLANETARY_COMPUTER_URL",),
        default="https://planetarycomputer.microsoft.com/api/stac/v1",
    ),
    Setting(
        key="planetary_computer.sas_url",
        variables=("REVISIT_PLANETARY_COMPUTER_SAS_URL", "PC_SDK_SAS_URL"),
        default="https://planetarycomputer.microsoft.com/api/sas/v1/token",
    ),
    Setting(
        key="cdse.stac_url",
        variables=("REVISIT_CDSE_STAC_URL",),
        default="https://stac.dataspace.copernicus.eu/v1",
    ),
    Setting(key="sentinel_hub.deployment", variables=("REVISIT_SENTINEL_HUB_DEPLOYMENT",)),
    Setting(key="sentinel_hub.url", variables=("REVISIT_SENTINEL_HUB_URL", "SH_BASE_URL")),
    Setting(key="sentinel_hub.token_url", variables=("REVISIT_SENTINEL_HUB_TOKEN_URL", "SH_TOKEN_URL")),
    Setting(key="sentinel_hub.client_id", variables=("SH_CLIENT_ID",), secret=True),
    Setting(key="sentinel_hub.client_secret", variables=("SH_CLIENT_SECRET",), secret=True),
    Setting(key="cache.folder", variables=("REVISIT_CACHE_DIR",)),
    Setting(key="cache.most_gib", variables=("REVISIT_CACHE_MOST_GIB",), default="20"),
)
SETTINGS = {setting.key: setting for setting in _SETTINGS}
"""All that can be set, by key."""

_CLIENT = ("sentinel_hub.client_id", "sentinel_hub.client_secret")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where imagery comes from and where it is kept; nothing in it shows a secret."""

    earth_search_url: str
    planetary_computer_url: str
    planetary_computer_sas_url: str
    cdse_stac_url: str
    sentinel_hub: Deployment
    credentials: Credentials | None
    """Of Sentinel Hub; None where none were given."""
    cache_folder: Path
    cache_most_bytes: int
    config_file: Path | None
    """The file that was read; None where there is none."""
    origins: Mapping[str, str]
    """By key of `SETTINGS`: "default", "the variable NAME" or "FILE"."""


def config_path(environment: Mapping[str, str]) -> Path:
    """Return where the config file is looked for: `REVISIT_CONFIG`, else the user's folder of configurations."""
    named = environment.get(CONFIG_VARIABLE)
    return Path(named).expanduser() if named else user_config_path("revisit") / "config.toml"


def load_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings: a variable of the environment wins over the config file, and that over the default.

    Parameters
    ----------
    environment
        Such as `os.environ`. An empty variable counts as not set.

    Raises
    ------
    UsageError
        For a config file that cannot be read, holds something unknown, or holds secrets that others can read; and for
        values that make no sense. The message names the file and line or the variable, and shows no secret.
    """
    path = config_path(environment)
    if environment.get(CONFIG_VARIABLE) and not path.is_file():
        raise UsageError(f"{CONFIG_VARIABLE} names {path}, which is no file; correct or unset it")
    written = _read_config(path) if path.is_file() else {}
    values, origins = {}, {}
    for setting in _SETTINGS:
        variable = next((name for name in setting.variables if environment.get(name)), None)
        if variable:
            values[setting.key], origins[setting.key] = environment[variable], f"the variable {variable}"
        elif setting.key in written:
            values[setting.key], origins[setting.key] = written[setting.key], str(path)
        else:
            values[setting.key], origins[setting.key] = setting.default, DEFAULT
    return _settings(values, origins, path if written else None)


def _settings(values: Mapping[str, str], origins: Mapping[str, str], config_file: Path | None) -> Settings:
    credentials = _credentials(values, origins)
    return Settings(
        earth_search_url=_address("earth_search.url", values, origins),
        planetary_computer_url=_address("planetary_computer.url", values, origins),
        planetary_computer_sas_url=_address("planetary_computer.sas_url", values, origins),
        cdse_stac_url=_address("cdse.stac_url", values, origins),
        sentinel_hub=_deployment(values, origins),
        credentials=credentials,
        cache_folder=_cache_folder(values["cache.folder"]),
        cache_most_bytes=_size(values["cache.most_gib"], origins["cache.most_gib"]),
        config_file=config_file,
        origins=dict(origins),
    )


def _credentials(values: Mapping[str, str], origins: Mapping[str, str]) -> Credentials | None:
    given = [key for key in _CLIENT if values[key]]
    if not given:
        return None
    if len(given) == 1:
        missing = next(key for key in _CLIENT if key not in given)
        variable = SETTINGS[missing].variables[0]
        raise UsageError(
            f"{given[0]} is given by {origins[given[0]]}, but {missing} is missing: set {variable} too, or neither"
        )
    client_id, client_secret = (Secret(values[key]) for key in _CLIENT)
    return Credentials(client_id=client_id, client_secret=client_secret)


def _deployment(values: Mapping[str, str], origins: Mapping[str, str]) -> Deployment:
    """Return the named deployment, the one whose address is given, or one of the user's own addresses."""
    name = values["sentinel_hub.deployment"]
    if name and name not in DEPLOYMENTS:
        where = origins["sentinel_hub.deployment"]
        raise UsageError(
            f"{where} sets the deployment {name[:40]!r} of Sentinel Hub; known are {', '.join(DEPLOYMENTS)}"
        )
    url, token_url = (
        _address(key, values, origins) if values[key] else "" for key in ("sentinel_hub.url", "sentinel_hub.token_url")
    )
    known = DEPLOYMENTS[name or "cdse"]
    by_address = next((one for one in DEPLOYMENTS.values() if one.url == url), None)
    if by_address and not name:
        known = by_address
    if url in ("", known.url) and token_url in ("", known.token_url):
        return known
    # Credentials must not go to one provider because an address of another was left out.
    if not url or not token_url:
        given, missing = ("url", "token_url") if url else ("token_url", "url")
        variable = SETTINGS[f"sentinel_hub.{missing}"].variables[0]
        raise UsageError(
            f"{origins[f'sentinel_hub.{given}']} sets {given} of Sentinel Hub to an address of its own: set {missing}"
            f" ({variable}) too, so that credentials go where they belong"
        )
    return Deployment(name="own", url=url, token_url=token_url)


def _address(key: str, values: Mapping[str, str], origins: Mapping[str, str]) -> str:
    """Return an address without a slash at its end, refusing what must not be asked."""
    where = f"{key} ({origins[key]})"
    try:
        parts = urlsplit(values[key].strip())
        port_known = parts.port is None or parts.port > 0
    except ValueError as error:
        raise UsageError(f"{where} is no address, such as https://example.org/v1") from error
    if parts.username is not None or parts.password is not None:
        raise UsageError(f"{where} holds a user name or password; addresses are printed, so give none in them")
    # What follows a "?" may be a key, so it is not shown.
    shown = parts._replace(query="", fragment="").geturl()[:80]
    if not parts.hostname or not port_known or parts.query or parts.fragment:
        raise UsageError(f"{where} is {shown!r}; an address such as https://example.org/v1, without ?, is expected")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts)):
        raise UsageError(f"{where} is {shown!r}; it must begin with https:// (http:// only for loopback)")
    return parts.geturl().rstrip("/")


def _is_loopback(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _cache_folder(text: str) -> Path:
    return Path(text).expanduser().absolute() if text else user_cache_path("revisit")


def _size(text: str, where: str) -> int:
    try:
        gib = float(text)
    except ValueError:
        gib = math.nan
    if not 0 < gib < 1e6:
        raise UsageError(f"cache.most_gib ({where}) is {text[:40]!r}; a number of GiB over 0 is expected, such as 20")
    return int(gib * GIB)


def _read_config(path: Path) -> dict[str, str]:
    """Return what a config file sets, by key of `SETTINGS`."""
    try:
        size, mode = path.stat().st_size, path.stat().st_mode
        content = path.read_bytes() if size <= LARGEST_FILE else b""
    except OSError as error:
        raise UsageError(f"the config file {path} cannot be read ({error.strerror})") from error
    if size > LARGEST_FILE:
        raise UsageError(f"the config file {path} has {size:,} bytes; that is no file of settings")
    try:
        text = content.decode()
        tables = tomllib.loads(text)
    except ValueError as error:
        # Both errors say where; neither repeats the line, which may hold a secret.
        raise UsageError(f"the config file {path} is no TOML: {_where_only(error)}") from None
    values = {key: _text(key, value, path, text) for key, value in _flat(tables, path, text).items()}
    if mode & 0o077 and any(SETTINGS[key].secret for key in values):
        raise UsageError(
            f"the config file {path} holds secrets and others can read it (mode {mode & 0o777:o}); type:"
            f" chmod 600 {shlex.quote(str(path))}"
        )
    return values


def _where_only(error: ValueError) -> str:
    place = re.search(r"at line \d+, column \d+", str(error))
    return f"an error {place.group()}" if place else "not UTF-8 text, or it ends too early"


def _flat(tables: Mapping[str, Any], path: Path, text: str) -> dict[str, Any]:
    """Return "table.key" -> value, refusing every name that is not known."""
    groups = {key.split(".")[0] for key in SETTINGS}
    found: dict[str, Any] = {}
    for table, entries in tables.items():
        if table not in groups or not isinstance(entries, dict):
            known = ", ".join(f"[{group}]" for group in sorted(groups))
            raise UsageError(f"{path}{_line(text, table)}: {table[:60]!r} is not known; tables are {known}")
        for key, value in entries.items():
            if f"{table}.{key}" not in SETTINGS:
                known = ", ".join(name.split(".")[1] for name in SETTINGS if name.startswith(f"{table}."))
                raise UsageError(f"{path}{_line(text, key)}: {key[:60]!r} is not known in [{table}]; it has {known}")
            found[f"{table}.{key}"] = value
    return found


def _text(key: str, value: Any, path: Path, text: str) -> str:
    wanted = (str, int, float) if key == "cache.most_gib" else (str,)
    if isinstance(value, bool) or not isinstance(value, wanted) or value == "":
        raise UsageError(f"{path}{_line(text, key.split('.')[1])}: {key} must be a text in quotes, and not empty")
    return str(value)


def _line(text: str, name: str) -> str:
    """Return ", line N" of the first line that names a table or key, or nothing where it is written otherwise."""
    pattern = re.compile(rf"\s*\[?\s*[\"']?{re.escape(name)}[\"']?\s*(\]|=|\.)")
    numbers = (number for number, line in enumerate(text.splitlines(), start=1) if pattern.match(line))
    number = next(numbers, None)
    return "" if number is None else f", line {number}"
