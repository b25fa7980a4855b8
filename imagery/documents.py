"""JSON and XML documents that others wrote, parsed within caps."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn
from xml.etree.ElementTree import Element, ParseError

import defusedxml
from defusedxml.ElementTree import fromstring

from imagery.errors import RefusedFileError

MAX_JSON_BYTES = 4 * 2**20
"""A STAC Item has some tens of kilobytes."""
MAX_XML_BYTES = 16 * 2**20
"""The largest metadata file of a SAFE product has about two megabytes."""
MAX_DEPTH = 32
"""Levels of a JSON document; an Item has eight."""


def _pairs_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object, refusing a key that comes twice: readers disagree on which one counts."""
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise RefusedFileError(f"the key {twice[:60]!r} stands twice in one object")
    return result


def _no_constant(text: str) -> NoReturn:
    raise RefusedFileError(f"{text} is no JSON number")


def _bounded(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    def parse_number(text: str) -> Any:
        if len(text) > 40:
            raise RefusedFileError(f"a number of {len(text)} digits")
        value = parse(text)
        if not math.isfinite(value):
            raise RefusedFileError(f"{text} is larger than any number")
        return value

    return parse_number


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        children = [
            part.values() if isinstance(part, dict) else part for part in level if isinstance(part, dict | list)
        ]
        level, depth = [child for group in children for child in group], depth + 1
    return depth


def parse_json(content: bytes) -> Any:
    """Parse a JSON document strictly: UTF-8, no NaN or Infinity, no key twice, bounded size, depth and numbers.

    Raises
    ------
    RefusedFileError
        Where it is anything else; the message says what.
    """
    if len(content) > MAX_JSON_BYTES:
        raise RefusedFileError(f"{len(content):,} bytes of JSON, over the cap of {MAX_JSON_BYTES:,}")
    try:
        value = json.loads(
            content.decode("utf-8-sig"),
            object_pairs_hook=_pairs_once,
            parse_constant=_no_constant,
            parse_int=_bounded(int),
            parse_float=_bounded(float),
        )
    except UnicodeDecodeError as error:
        raise RefusedFileError(f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise RefusedFileError(f"not JSON: {error.msg} in line {error.lineno}") from error
    except RecursionError as error:
        raise RefusedFileError(f"nested more than {MAX_DEPTH} levels deep") from error
    if _depth(value) > MAX_DEPTH:
        raise RefusedFileError(f"nested more than {MAX_DEPTH} levels deep")
    return value


def read_json(path: Path) -> Any:
    """Read and parse a JSON file; see `parse_json`.

    Raises
    ------
    RefusedFileError
        Where it cannot be read or is refused.
    """
    try:
        with path.open("rb") as file:
            return parse_json(file.read(MAX_JSON_BYTES + 1))
    except OSError as error:
        raise RefusedFileError(f"cannot be read ({error.strerror})") from error


def parse_xml(content: bytes) -> Element:
    """Parse an XML document without a document type, entities or anything from outside.

    Raises
    ------
    RefusedFileError
        Where it has one of these, is too large, or is no XML.
    """
    if len(content) > MAX_XML_BYTES:
        raise RefusedFileError(f"{len(content):,} bytes of XML, over the cap of {MAX_XML_BYTES:,}")
    try:
        return fromstring(content, forbid_dtd=True, forbid_entities=True, forbid_external=True)  # type: ignore[no-any-return]
    except defusedxml.DefusedXmlException as error:
        raise RefusedFileError("XML with a document type or entities, which no product has") from error
    except ParseError as error:
        raise RefusedFileError(f"not XML: {error}") from error
    except (ValueError, LookupError) as error:
        raise RefusedFileError(f"XML in an encoding that is not known: {error}") from error
