"""Names and texts that come from files and people: what is accepted, and how a file name is made of them."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from aoi.errors import AOIError

LONGEST_NAME, LONGEST_TEXT = 80, 500
"""Characters."""

_REFUSED = ("Cc", "Cs", "Zl", "Zp")
"""Unicode categories: control, surrogate, line and paragraph separators."""
_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of what follows, by which a name can be made to look like another."""
_LONGEST_SLUG = 60
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)")
"""Names that Windows keeps for itself."""


def shown(value: object) -> str:
    """Return a value as it may stand in a message: quoted, and cut where it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 3]}..."


def clean_text(value: object, what: str, *, longest: int = LONGEST_TEXT) -> str:
    """Return a text without outer blanks.

    Parameters
    ----------
    value
        From a file or a person.
    what
        What it is, for the message, such as "the name of a zone".
    longest
        Characters that are accepted.

    Raises
    ------
    AOIError
        Where it is no text, is empty or too long, or holds control characters or ones that turn the writing direction.
    """
    if not isinstance(value, str):
        raise AOIError(f"{what} must be a text, not {shown(value)}")
    text = value.strip()
    if not text:
        raise AOIError(f"{what} is empty")
    if len(text) > longest:
        raise AOIError(f"{what} has {len(text)} characters, at most {longest} are accepted: {shown(text)}")
    bad = next((c for c in text if c in _DIRECTION or unicodedata.category(c) in _REFUSED), None)
    if bad is not None:
        raise AOIError(f"{what} holds the character U+{ord(bad):04X}, which is not printed: {shown(text)}")
    return text


def clean_name(value: object, what: str) -> str:
    """Return a name of at most 80 characters; see `clean_text` for what is refused."""
    return clean_text(value, what, longest=LONGEST_NAME)


def slug(name: str) -> str:
    """Return a file name, without extension, that is safe on every system and tells what the name was.

    Letters that have no plain form are replaced by eight digits of the name's SHA-256, so that two names in Arabic do
    not meet in one file.

    Examples
    --------
    >>> slug("Al Jufra / <b>east</b>")
    'al-jufra-b-east-b'
    """
    plain = unicodedata.normalize("NFKD", name)
    marks_off = "".join(c for c in plain if not unicodedata.combining(c))
    text = re.sub(r"[^a-z0-9]+", "-", marks_off.lower()).strip("-")[:_LONGEST_SLUG].strip("-")
    lost = any(c.isalnum() and not c.isascii() for c in marks_off)
    if lost or not text or _DEVICES.fullmatch(text):
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        return f"{text}-{digest}" if text else f"area-{digest}"
    return text
