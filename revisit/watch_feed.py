"""The newest changes as an Atom feed (RFC 4287)."""

from __future__ import annotations

import json
import os
import re
import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from revisit import __version__
from revisit.errors import UsageError
from revisit.plain import iso_time
from revisit.watch_notice import lines_of
from revisit.watch_store import WatchState
from revisit.watch_values import Notice

ATOM, XHTML = "http://www.w3.org/2005/Atom", "http://www.w3.org/1999/xhtml"
ENTRIES = 50
"""Newest ones; a reader that calls once a day misses none."""
# What XML 1.0 holds neither as it is nor as a reference (section 2.2).
_UNFIT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _fit(text: object) -> str:
    """Return a text that XML can hold."""
    return _UNFIT.sub("\ufffd", str(text))


def _add(parent: ET.Element, name: str, text: object = "", **attributes: str) -> ET.Element:
    """Add an element of Atom."""
    made = ET.SubElement(parent, f"{{{ATOM}}}{name}", {key: _fit(value) for key, value in attributes.items()})
    made.text = _fit(text) or None
    return made


def _urn(uid: str, *parts: str) -> str:
    """Return a name that stays: of the state, or of something in it."""
    own = uuid.UUID(hex=uid)
    return f"urn:uuid:{uuid.uuid5(own, '/'.join(parts)) if parts else own}"


def _link(report: str, folder: Path) -> str:
    """Return the address of a report as seen from the feed's folder."""
    return quote(os.path.relpath(report, folder).replace(os.sep, "/"))


def _content(entry: ET.Element, lines: Sequence[str]) -> None:
    """Add the text, its columns kept."""
    content = _add(entry, "content", type="xhtml")
    box = ET.SubElement(content, f"{{{XHTML}}}div")
    text = ET.SubElement(box, f"{{{XHTML}}}pre")
    text.text = _fit("\n".join(lines))


def _entry(feed: ET.Element, notice: Notice, uid: str, folder: Path) -> None:
    """Add what was told of one comparison."""
    told: dict[str, Any] = json.loads(notice.payload)
    entry = _add(feed, "entry")
    _add(entry, "id", _urn(uid, notice.id))
    _add(entry, "title", told["title"])
    _add(entry, "updated", iso_time(notice.made))
    _add(entry, "category", term=notice.area)
    _add(entry, "link", rel="alternate", type="text/html", href=_link(told["report"], folder))
    _add(entry, "rights", told["attribution"])
    _content(entry, lines_of(told))


def feed_of(notices: Sequence[Notice], *, uid: str, made: datetime, folder: Path) -> bytes:
    """Return a feed, the newest entry first; the same notices give the same bytes.

    Parameters
    ----------
    notices
        Oldest first.
    uid
        Of the state, 32 hexadecimal digits.
    made
        When the state was made: the time of a feed without entries.
    folder
        Where the feed lies; links to reports are relative to it.
    """
    ET.register_namespace("", ATOM)
    feed = ET.Element(f"{{{ATOM}}}feed")
    _add(feed, "id", _urn(uid))
    _add(feed, "title", "Changes on watched areas")
    _add(feed, "updated", iso_time(max((notice.made for notice in notices), default=made)))
    _add(_add(feed, "author"), "name", "revisit")
    _add(feed, "generator", "revisit", version=__version__)
    for notice in reversed(notices):
        _entry(feed, notice, uid, folder)
    return bytes(ET.tostring(feed, encoding="utf-8", xml_declaration=True)) + b"\n"


def check_feed(path: Path) -> None:
    """Refuse a place for a feed before anything is looked at.

    Raises
    ------
    UsageError
        Where no file can be written there, or something stands there that is no feed.
    """
    if not path.absolute().parent.is_dir():
        raise UsageError(f"the folder of the feed, {path.absolute().parent}, does not exist: make it")
    if not os.access(path.absolute().parent, os.W_OK):
        raise UsageError(f"the folder of the feed, {path.absolute().parent}, cannot be written")
    if path.exists() and not (path.is_file() and b"http://www.w3.org/2005/Atom" in path.read_bytes()[:500]):
        raise UsageError(f"{path} is no Atom feed, and would be replaced by one; give another --feed")


def write_feed(state: WatchState, path: Path) -> None:
    """Write the feed of a state, whole or not at all.

    Raises
    ------
    UsageError
        Where it cannot be written.
    """
    folder = path.absolute().parent
    made = datetime.fromisoformat(state.made)
    content = feed_of(state.notices(newest=ENTRIES), uid=state.uid, made=made, folder=folder)
    stage = folder / f".{path.name}.{secrets.token_hex(4)}"
    try:
        with stage.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        stage.replace(path)
    except OSError as error:
        raise UsageError(f"the feed {path} cannot be written: {error.strerror or error}") from error
    finally:
        stage.unlink(missing_ok=True)
