"""The feed against the rules of RFC 4287, and with hostile names in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from revisit.errors import UsageError
from revisit.watch_feed import ENTRIES, check_feed, feed_of
from revisit.watch_values import Notice

UID = "00112233445566778899aabbccddeeff"
MADE = datetime(2026, 11, 30, 12, tzinfo=UTC)
HOSTILE = "</title><script>alert(1)</script>&\x00\x0b\ud800]]> \u202e"
SCHEMA = """
<grammar xmlns="http://relaxng.org/ns/structure/1.0" ns="http://www.w3.org/2005/Atom"
         datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">
  <define name="moment"><data type="dateTime"><param name="pattern">.+T.+Z</param></data></define>
  <define name="id"><element name="id"><data type="anyURI"><param name="pattern">urn:uuid:[0-9a-f-]{36}</param></data>
    </element></define>
  <define name="title"><element name="title"><text/></element></define>
  <define name="updated"><element name="updated"><ref name="moment"/></element></define>
  <define name="inside"><zeroOrMore><choice><text/><element><anyName/><ref name="inside"/></element></choice>
    </zeroOrMore></define>
  <start><element name="feed"><interleave>
    <ref name="id"/><ref name="title"/><ref name="updated"/>
    <element name="author"><element name="name"><text/></element></element>
    <element name="generator"><attribute name="version"/><text/></element>
    <zeroOrMore><element name="entry"><interleave>
      <ref name="id"/><ref name="title"/><ref name="updated"/>
      <element name="category"><attribute name="term"/></element>
      <element name="link"><attribute name="rel"><value>alternate</value></attribute>
        <attribute name="type"><value>text/html</value></attribute>
        <attribute name="href"><data type="anyURI"/></attribute></element>
      <element name="rights"><text/></element>
      <element name="content"><attribute name="type"><value>xhtml</value></attribute>
        <element name="div" ns="http://www.w3.org/1999/xhtml"><ref name="inside"/></element></element>
    </interleave></element></zeroOrMore>
  </interleave></element></start>
</grammar>
"""
"""Of RFC 4287, appendix B: what an entry and a feed must have, for the elements that are used here."""


def notice(number: int, folder: Path, **changed: Any) -> Notice:
    told = {
        "title": f"area: change {number}",
        "report": str(folder / "runs" / f"r{number}" / "report.html"),
        "attribution": "Contains modified Copernicus Sentinel data 2026",
        "text": ["head", "  flag  zone"],
    } | changed
    made = MADE + timedelta(hours=number)
    text = json.dumps(told)
    return Notice(id=f"{number:032x}", area="area", made=made, payload=text, printed=True, webhook="unwanted")


def parsed(notices: list[Notice], folder: Path) -> etree._Element:
    """Return a feed, after the rules have been checked."""
    root = etree.fromstring(feed_of(notices, uid=UID, made=MADE, folder=folder))
    rules = etree.RelaxNG(etree.fromstring(SCHEMA))
    assert rules.validate(root), rules.error_log
    return root


def texts(root: etree._Element, path: str) -> list[str]:
    return [str(one) for one in root.xpath(path, namespaces={"a": "http://www.w3.org/2005/Atom"})]


def test_a_feed_keeps_the_rules_and_the_newest_stands_first(tmp_path: Path) -> None:
    root = parsed([notice(1, tmp_path), notice(2, tmp_path)], tmp_path)
    assert texts(root, "a:entry/a:title/text()") == ["area: change 2", "area: change 1"]
    assert texts(root, "a:updated/text()") == ["2026-11-30T14:00:00Z"]
    names = texts(root, "//a:id/text()")
    assert len(set(names)) == len(names) == 3
    assert texts(root, "a:entry/a:link/@href") == ["runs/r2/report.html", "runs/r1/report.html"]


def test_an_empty_feed_is_one_too(tmp_path: Path) -> None:
    assert texts(parsed([], tmp_path), "a:updated/text()") == ["2026-11-30T12:00:00Z"]


def test_names_stay_when_entries_come(tmp_path: Path) -> None:
    one, two = notice(1, tmp_path), notice(2, tmp_path)
    first = texts(parsed([one], tmp_path), "//a:id/text()")
    assert texts(parsed([one, two], tmp_path), "//a:id/text()") == [first[0], *set(texts(
        parsed([two], tmp_path), "a:entry/a:id/text()")), first[1]]  # fmt: skip
    assert feed_of([one], uid=UID, made=MADE, folder=tmp_path) == feed_of([one], uid=UID, made=MADE, folder=tmp_path)


def test_hostile_names_are_text(tmp_path: Path) -> None:
    root = parsed([notice(1, tmp_path, title=HOSTILE, text=[HOSTILE], attribution=HOSTILE)], tmp_path)
    assert root.xpath("//*[local-name()='script']") == []
    assert "<script>alert(1)</script>&\ufffd\ufffd\ufffd]]>" in texts(root, "a:entry/a:title/text()")[0]


def test_a_link_leads_from_the_feed_to_the_report_whatever_its_name(tmp_path: Path) -> None:
    odd = notice(1, tmp_path, report=str(tmp_path / "runs" / "a b#c?d%" / "report.html"))
    root = parsed([odd], tmp_path / "www")
    assert texts(root, "a:entry/a:link/@href") == ["../runs/a%20b%23c%3Fd%25/report.html"]


def test_a_feed_replaces_no_other_file(tmp_path: Path) -> None:
    mine = tmp_path / "thesis.xml"
    mine.write_text("<thesis/>")
    with pytest.raises(UsageError, match="is no Atom feed, and would be replaced"):
        check_feed(mine)
    with pytest.raises(UsageError, match="does not exist: make it"):
        check_feed(tmp_path / "absent" / "feed.xml")
    fine = tmp_path / "feed.xml"
    check_feed(fine)
    fine.write_bytes(feed_of([], uid=UID, made=MADE, folder=tmp_path))
    check_feed(fine)
    assert ENTRIES >= 20
