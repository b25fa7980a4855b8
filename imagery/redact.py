"""Secrets taken out of everything that is printed, logged or stored."""

from __future__ import annotations

import logging
import re

HIDDEN = "***"
"""What stands in the place of a secret."""

# The names of what is secret, or lets somebody in together with a secret: OAuth, shared access signatures of Azure
# (`se`, `skoid` and the like), presigned addresses of S3, and what careful people call such things elsewhere.
_NAMES = (
    r"authorization|proxy-authorization|cookie|set-cookie"
    r"|client[_-]?secret|access[_-]?token|refresh[_-]?token|id[_-]?token|bearer[_-]?token|token|assertion"
    r"|sig|signature|se|skoid|sktid|ske|skt|st|x-amz-(?:signature|credential|security-token)|x-goog-signature"
    r"|password|passwd|secret|api[_-]?key|subscription[_-]?key|ocp-apim-subscription-key|sas"
)
_KEY = rf"(?:[a-z0-9]+_)*(?:{_NAMES})"
_START = r"(?:(?<![a-z0-9_-])|(?<=%[0-9a-f]{2}))"
_VALUE = r"(?:(?:bearer|basic)\s+)?(?:(?!%26)[^\s&;,\"'<>\\)}\]])+"
# As in an address or a form, there also percent-encoded within another address: `sig=x&se=y`, `sig%3Dx%26se%3Dy`.
_PAIR = re.compile(rf"{_START}(?P<name>{_KEY})(?P<is>=|%3D)(?P<value>\"[^\"]+\"|'[^']+'|{_VALUE})", re.IGNORECASE)
# As in JSON, in a Python dictionary, and in JSON inside a text (with backslashes before the quotes).
_FIELD = re.compile(
    rf"(?P<name>\\*[\"']{_KEY}\\*[\"'])(?P<is>\s*:\s*)(?P<quote>\\*[\"'])(?P<value>(?:(?!(?P=quote)).)+)(?P=quote)",
    re.IGNORECASE | re.DOTALL,
)
# As in a header, where the rest of the line is secret, and as in a file of settings, where one word is.
_HEADER = re.compile(
    rf"{_START}(?P<name>(?:proxy-)?authorization|(?:set-)?cookie)(?P<is>\s*:\s*)(?P<value>[^\s\"'][^\r\n\"']*)",
    re.IGNORECASE,
)
_WORD = re.compile(rf"{_START}(?P<name>{_KEY})(?P<is>\s*:\s+)(?P<value>{_VALUE})", re.IGNORECASE)
_SCHEME = re.compile(r"\b(?P<name>bearer|basic)(?P<is>\s+)(?P<value>[A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE)
# A JSON Web Token wherever it stands, and a user with a password before a host.
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?")
_USER = re.compile(r"(?P<name>[a-z][a-z0-9+.-]*://)(?P<value>[^\s/?#@\"'<>]+)@", re.IGNORECASE)

_LOGGERS = (
    "requests",
    "requests_oauthlib",
    "oauthlib",
    "sentinelhub",
    "urllib3",
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.poolmanager",
    "urllib3.util.retry",
)
"""Loggers that write addresses or bodies, and so secrets; a filter holds for one logger alone, not for those below."""


def redact(text: str) -> str:
    """Return `text` without secrets: "***" stands where they stood.

    Taken out: the values of `Authorization`, `client_secret`, `access_token`, `sig`, `se`, `skoid`, `token` and their
    like in addresses, forms, JSON and headers; bearer tokens; users and passwords before a host. What was redacted
    once stays as it is: ``redact(redact(x)) == redact(x)``.

    Examples
    --------
    >>> redact("https://me:pw@example.org/a.tif?st=1&sig=Zm9v&v=2")
    'https://***@example.org/a.tif?st=***&sig=***&v=2'
    """
    # Once more until nothing changes: taking one secret out may bring another to the light. It ends, since each round
    # leaves fewer letters outside the stars.
    while (cleaner := _once(text)) != text:
        text = cleaner
    return text


def _once(text: str) -> str:
    text = _JWT.sub(HIDDEN, text)
    text = _USER.sub(rf"\g<name>{HIDDEN}@", text)
    text = _FIELD.sub(rf"\g<name>\g<is>\g<quote>{HIDDEN}\g<quote>", text)
    text = _SCHEME.sub(rf"\g<name>\g<is>{HIDDEN}", text)
    for pattern in (_HEADER, _PAIR, _WORD):
        text = pattern.sub(rf"\g<name>\g<is>{HIDDEN}", text)
    return text


def one_line(text: str, *, most: int = 300) -> str:
    """Return `text` redacted, on one line without control characters, cut to `most` characters: fit for a message."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    clean = redact(" ".join(printable.split()))
    return clean if len(clean) <= most else clean[: most - 3] + "..."


class _Redacting(logging.Filter):
    """Redacts a record before any handler sees it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), None
        return True


_REDACTING = _Redacting()


def quiet_loggers() -> None:
    """Hold the loggers of the HTTP libraries at WARNING and redact what they say; called twice, it does no more."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))
        logger.addFilter(_REDACTING)
