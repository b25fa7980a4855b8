"""Areas as KML, and KML that means harm."""

from __future__ import annotations

from pathlib import Path

import pytest

from aoi import AOI, AOIError
from aoi.assemble import area_from_outlines
from aoi.kml import read_kml

RING = "35.0,34.0,0 35.1,34.0,0 35.1,34.1,0 35.0,34.1,0 35.0,34.0,0"
WIDE = "34.9,33.9 35.2,33.9 35.2,34.2 34.9,34.2 34.9,33.9"
HOLE = "35.02,34.02 35.04,34.02 35.04,34.04 35.02,34.04 35.02,34.02"
KML = '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{}</Document></kml>'


def polygon(ring: str = RING, hole: str = "") -> str:
    inner = f"<innerBoundaryIs><LinearRing><coordinates>{hole}</coordinates></LinearRing></innerBoundaryIs>"
    outer = f"<outerBoundaryIs><LinearRing><coordinates>\n {ring}\n</coordinates></LinearRing></outerBoundaryIs>"
    return f"<Polygon><tessellate>1</tessellate>{outer}{inner if hole else ''}</Polygon>"


def placemark(name: str = "", body: str = "") -> str:
    return f"<Placemark>{f'<name>{name}</name>' if name else ''}{body or polygon()}</Placemark>"


def read(*placemarks: str, frame: str = KML) -> AOI:
    return area_from_outlines(read_kml(frame.format("".join(placemarks)).encode()), "file-name")


@pytest.mark.parametrize("frame", [KML, "<kml>{}</kml>", '<kml xmlns="http://earth.google.com/kml/2.1">{}</kml>'])
def test_one_polygon_is_the_area(frame: str) -> None:
    aoi = read(placemark("My <![CDATA[<b>]]>\n base"), frame=frame)
    assert (aoi.name, aoi.zones) == ("My <b> base", ())
    assert aoi.geometry.bounds == (35.0, 34.0, 35.1, 34.1)


def test_holes_and_several_parts_are_kept() -> None:
    far = RING.replace("35.", "35.5").replace("34.", "34.5")
    aoi = read(placemark("", f"<MultiGeometry>{polygon(RING, HOLE)}{polygon(far)}</MultiGeometry>"))
    assert aoi.name == "file-name"
    assert aoi.geometry.geom_type == "MultiPolygon"
    assert aoi.geometry.area == pytest.approx(0.01 - 0.0004 + 0.0001)


def test_several_polygons_are_zones_and_the_one_named_area_is_the_area() -> None:
    data = "<ExtendedData><Data name='kind'><value>berth</value></Data><Data name='accuracy_m'><value>30</value></Data>"
    schema = "<SchemaData><SimpleData name='source'>chart</SimpleData></SchemaData></ExtendedData>"
    aoi = read(
        placemark("pier", data + schema + polygon()), placemark("Area", polygon(WIDE)), placemark("", polygon(HOLE))
    )
    assert aoi.geometry.bounds == (34.9, 33.9, 35.2, 34.2)
    assert [(z.name, z.kind, z.accuracy_m, z.source) for z in aoi.zones] == [
        ("pier", "berth", 30.0, "chart"),
        ("zone-3", "other", None, "not stated"),
    ]


def test_without_one_named_area_the_hull_is_the_area() -> None:
    aoi = read(placemark("a", polygon(HOLE)), placemark("b"), "<Placemark><Point/></Placemark>")
    assert [z.name for z in aoi.zones] == ["a", "b"]
    assert aoi.geometry.bounds == (35.0, 34.0, 35.1, 34.1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (KML.format("<Placemark><Point/></Placemark>"), "no polygon in it"),
        (KML.format(placemark("", polygon("35,34 35.1;34 35,34.1"))), "'35.1;34' is no KML position"),
        (KML.format(placemark("", polygon("35,nan 35.1,34 35,34.1"))), "'35,nan' is no KML position"),
        (KML.format(placemark("", polygon("35.4_0,34 35.1,34 35,34.1"))), "no KML position"),
        (KML.format(placemark("", polygon(" "))), "has no coordinates"),
        (KML.format(placemark("", "<Polygon/>")), "0 outer boundaries"),
        (KML.format(placemark("same") + placemark("same")), "names are used by more than one zone"),
        (KML.format(placemark("a\u202eb")), r"U\+202E"),
        ("<html/>", "outermost element is 'html', not kml"),
        ("<kml><Placemark></kml>", "not well-formed XML"),
        ("", "not well-formed XML"),
        ('<?xml version="1.0" encoding="nonsense"?><kml/>', "not well-formed XML"),
        ("<a>" * 100 + "</a>" * 100, "nested deeper than 64"),
        ("<kml>" + "<a/>" * 200_001 + "</kml>", "more than 200000 elements"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_files_that_make_no_area_are_refused(text: str, message: str) -> None:
    with pytest.raises(AOIError, match=message):
        area_from_outlines(read_kml(text.encode()), "file-name")


LAUGHS = "".join(f'<!ENTITY l{i + 1} "{f"&l{i};" * 10}">' for i in range(10))


@pytest.mark.parametrize(
    "declared",
    [
        f'[<!ENTITY l0 "ha">{LAUGHS}]',
        '[<!ENTITY l10 "x">]',
        '[<!ENTITY l10 SYSTEM "file:{canary}">]',
        'SYSTEM "file:{canary}"',
    ],
    ids=["billion laughs", "entity", "external entity", "external document type"],
)
def test_entities_and_document_types_are_refused(declared: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_text("secret")
    text = f"<!DOCTYPE kml {declared.replace('{canary}', str(canary))}>" + KML.format(placemark("&l10;"))
    with pytest.raises(AOIError, match="declares a document type or entities") as refusal:
        read_kml(text.encode())
    assert "secret" not in str(refusal.value)


def test_network_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other.kml").write_text(KML.format(placemark("other")))
    link = f"<NetworkLink><Link><href>{(tmp_path / 'other.kml').as_uri()}</href></Link></NetworkLink>"
    assert read(link, placemark("own")).name == "own"
