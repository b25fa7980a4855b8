"""ESA's product names: real ones taken apart, and whatever else refused without a guess."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagery.product_names import parse_product_name


def test_a_name_of_sentinel_2_says_all_there_is_to_know() -> None:
    name = parse_product_name("S2B_MSIL2A_20250302T095029_N0511_R079_T33UXP_20250302T104753.SAFE")
    assert name is not None
    assert (name.sensor, name.platform, name.level) == ("s2", "sentinel-2b", "L2A")
    assert (name.relative_orbit, name.tile, name.processing_baseline) == (79, "33UXP", "05.11")
    assert name.datatake == "GS2B_20250302T095029"
    assert name.started == datetime(2025, 3, 2, 9, 50, 29, tzinfo=UTC)
    assert name.generated == datetime(2025, 3, 2, 10, 47, 53, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "orbit"),
    [
        ("S1A_IW_GRDH_1SDV_20210113T022710_20210113T022735_036113_043BC9_2981", 166),
        # An absolute orbit of 39156 is the relative orbit 59 of Sentinel-1A.
        ("S1A_IW_GRDH_1SDV_20210809T050000_20210809T050025_039156_049EE1_0000.SAFE", 59),
        # As Planetary Computer writes it: without the last four letters, with its own ending.
        ("S1A_IW_GRDH_1SDV_20191215T004249_20191215T004314_030352_0378DC_rtc", 5),
        ("S1C_IW_GRDH_1SDV_20250413T154200_20250413T154225_001872_003A10_1234", None),
    ],
)
def test_a_name_of_sentinel_1_says_its_relative_orbit_where_the_rule_is_known(name: str, orbit: int | None) -> None:
    parsed = parse_product_name(name)
    assert parsed is not None
    assert (parsed.sensor, parsed.mode, parsed.polarisation, parsed.relative_orbit) == ("s1", "IW", "DV", orbit)
    assert parsed.datatake == f"{name[:3]}_{name.split('_')[7]}"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "S2A_36SYE_20240108_0_L2A",
        "S2B_T36SYE_20240108T082626_L2A",
        "S2B_MSIL2A_20251302T095029_N0511_R079_T33UXP_20250302T104753",
        "S2B_MSIL2A_20250302T095029_N0511_R079_T33UXP_20250302T104753/../x",
        "S1A_IW_GRDH_1SDV_20210113T022710_20210113T992735_036113_043BC9_2981",
    ],
)
def test_other_names_say_nothing(name: str) -> None:
    assert parse_product_name(name) is None


@given(st.text(max_size=120))
def test_no_text_is_a_crash(text: str) -> None:
    assert parse_product_name(text) is None or text.startswith("S")
