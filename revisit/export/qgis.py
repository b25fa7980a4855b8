"""Styles for QGIS: the colours of the report on the layers of an export."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, tostring

from revisit.symbols import CASING, SIGN_COLOURS, ZONE_COLOUR

VERSION = "3.22"
"""Of QGIS, the first whose form of a style this is; later ones read it too."""


def _layer(parent: Element, colour: str, width: float, dash: str = "solid") -> None:
    """Add an outline to a symbol."""
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    layer = SubElement(parent, "layer", {"class": "SimpleLine", "enabled": "1", "locked": "0", "pass": "0"})
    options = SubElement(layer, "Option", {"type": "Map"})
    values = {
        "line_color": f"{red},{green},{blue},255",
        "line_width": f"{width:g}",
        "line_width_unit": "MM",
        "line_style": dash,
        "joinstyle": "miter",
    }
    for name, value in values.items():
        SubElement(options, "Option", {"name": name, "value": value, "type": "QString"})


def _symbol(parent: Element, name: str, colour: str, *, width: float, dash: str = "solid") -> None:
    """Add a symbol: a coloured outline on a wider dark one, so that it shows on light ground too."""
    symbol = SubElement(parent, "symbol", {"type": "fill", "name": name, "alpha": "1", "clip_to_extent": "1"})
    _layer(symbol, CASING, width + 0.5)
    _layer(symbol, colour, width, dash)


def _document(renderer: dict[str, str], label: str) -> tuple[Element, Element]:
    """Return a style document with labels, and its renderer."""
    root = Element("qgis", {"version": VERSION, "styleCategories": "Symbology|Labeling", "labelsEnabled": "1"})
    found = SubElement(root, "renderer-v2", renderer)
    labeling = SubElement(root, "labeling", {"type": "simple"})
    settings = SubElement(labeling, "settings", {"calloutType": "simple"})
    text = {"fieldName": label, "isExpression": "0", "fontSize": "9", "textColor": "255,255,255,255"}
    style = SubElement(settings, "text-style", text)
    SubElement(style, "text-buffer", {"bufferDraw": "1", "bufferSize": "0.8", "bufferColor": "16,20,24,255"})
    SubElement(settings, "placement", {"placement": "0", "dist": "1"})
    return root, found


def _text(root: Element) -> str:
    """Return a style document as text."""
    kind = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
    return kind + tostring(root, encoding="unicode")


def flags_style() -> str:
    """Return the style of flags: amber appeared, blue vanished, white altered, with their ids."""
    root, renderer = _document({"type": "categorizedSymbol", "attr": "change", "enableorderby": "0"}, "id")
    categories, symbols = SubElement(renderer, "categories"), SubElement(renderer, "symbols")
    for number, (sign, colour) in enumerate(SIGN_COLOURS.items()):
        entry = {"symbol": str(number), "value": sign, "label": sign, "render": "true"}
        SubElement(categories, "category", entry)
        _symbol(symbols, str(number), colour, width=0.6)
    return _text(root)


def outline_style(*, dashed: bool) -> str:
    """Return the style of zones (dashed) or of the area: an outline with its name."""
    root, renderer = _document({"type": "singleSymbol", "enableorderby": "0"}, "name")
    symbols = SubElement(renderer, "symbols")
    _symbol(symbols, "0", ZONE_COLOUR, width=0.3, dash="dot" if dashed else "solid")
    return _text(root)
