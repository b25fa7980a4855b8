"""A result whose every name and note is an attack on whoever shows it."""

from __future__ import annotations

from dataclasses import replace

from revisit.result import Result
from tests.standin import blob, make_flags, make_grid, make_result, make_zone

HOSTILE = (
    "<script>alert(1)</script>",
    "</title></style></script><img src=x onerror=alert(2)>",
    '" onmouseover="alert(3)" x=\'',
    "javascript:alert(4)",
    "=cmd|' /C calc'!A0",
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnp.exe \u05d0\u05d1\u05d2",
    "bell\x07 null\x00 escape\x1b[31m half \ud800",
)


def hostile_result() -> Result:
    """Return a result whose every name and note is an attack."""
    grid = make_grid()
    zones = tuple(replace(make_zone(grid, name, None), source=name) for name in HOSTILE)
    flags = [
        replace(flag, zone=name)
        for flag, name in zip(make_flags([blob(5, 5)] * 8, notes=HOSTILE), HOSTILE, strict=True)
    ]
    result = make_result(grid, name=HOSTILE[1], zones=zones, flags=tuple(flags), warnings=HOSTILE, reasons=HOSTILE)
    scenes = [
        replace(r, scene=replace(r.scene, id=n, platform=n, source=n))
        for r, n in zip(result.scenes, HOSTILE, strict=False)
    ]
    recipe = replace(result.recipe, area=HOSTILE[0], source=HOSTILE[1])
    change = replace(result.change, method=HOSTILE[0])
    return replace(result, scenes=tuple(scenes), recipe=recipe, change=change)
