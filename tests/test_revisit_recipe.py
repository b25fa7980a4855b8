"""Recipes: from TOML and options, to TOML, and what is refused."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revisit.errors import UsageError
from revisit.recipe import Recipe, check_recipe, command_of, parse_date, read_table, recipe_from, recipe_table, to_toml

TODAY = date(2026, 1, 31)
RECIPE = Recipe(area="khmeimim", before=date(2024, 12, 7), after=date(2024, 12, 17), source="folder:scenes")

TEXTS = st.text(min_size=1).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text))
RECIPES = st.builds(
    Recipe,
    area=TEXTS,
    before=st.dates(),
    after=st.dates(),
    source=TEXTS,
    within_days=st.integers(0, 366),
    false_alarms_per_km2=st.floats(1e-9, 1e9),
    gsd=st.none() | st.floats(1, 1000),
)


@given(RECIPES)
def test_a_recipe_survives_its_own_toml(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> None:
    path = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    path.write_text(to_toml(recipe), encoding="utf-8", newline="")
    assert recipe_from(read_table(path)) == recipe


def test_a_recipe_survives_the_manifest() -> None:
    assert recipe_from(recipe_table(RECIPE)) == RECIPE


def test_toml_dates_and_texts_are_both_dates(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text('area = "tartus"\nbefore = 2024-12-07\nafter = "2024-12-17"\n')
    assert recipe_from(read_table(path)) == Recipe(area="tartus", before=date(2024, 12, 7), after=date(2024, 12, 17))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("within = 3", "has no 'within'. Did you mean 'within_days'"),
        ("colour = 1", "has no 'colour'. Known: area, before"),
        ("within_days = 2.5", "within_days must be a whole number, not 2.5"),
        ("within_days = true", "within_days must be a whole number"),
        ('false_alarms_per_km2 = "1"', "false_alarms_per_km2 must be a number"),
        ("false_alarms_per_km2 = nan", "false_alarms_per_km2 must be a number"),
        ("source = 3", "source must be a text"),
        ("gsd = inf", "gsd must be a number"),
    ],
)
def test_a_wrong_line_is_refused(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(f'area = "tartus"\nbefore = 2024-12-07\nafter = 2024-12-17\n{line}\n')
    with pytest.raises(UsageError, match=message.replace("(", r"\(")):
        recipe_from(read_table(path))


def test_what_is_missing_is_asked_for() -> None:
    with pytest.raises(UsageError, match="needs before, after as well"):
        recipe_from({"area": "tartus"})


def test_files_that_hold_no_recipe_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_table(tmp_path / "absent.toml")
    for content, message in (
        (b"area = ", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        (b"#" * 200_000, "200000 bytes"),
    ):
        (tmp_path / "r.toml").write_bytes(content)
        with pytest.raises(UsageError, match=message):
            read_table(tmp_path / "r.toml")


@pytest.mark.parametrize(
    "text", ["2024-13-01", "2023-02-29", "20241207", "2024-W50-6", "7.12.2024", "2024-12-07T08:20", "", 7]
)
def test_what_is_no_iso_date_is_refused_with_its_value(text: object) -> None:
    with pytest.raises(UsageError, match=f"--before '{text}' is"):
        parse_date(text, "--before")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"after": date(2024, 12, 7)}, "same day, 2024-12-07"),
        ({"after": date(2024, 12, 1)}, r"before \(2024-12-07\) is later than after \(2024-12-01\): exchange"),
        ({"after": date(2026, 2, 1)}, r"after \(2026-02-01\) lies in the future; today is 2026-01-31"),
        ({"before": date(1, 1, 1)}, r"before \(0001-01-01\) is earlier than any satellite"),
        ({"sensor": "s1"}, "use --sensor s2"),
        ({"sensor": "S2"}, "'S2'; known: auto, s2, s1"),
        ({"within_days": -1}, "within -1 days"),
        ({"baseline": -1}, "a baseline of -1 dates: choose 0 to 100"),
        ({"baseline": 101}, "a baseline of 101 dates"),
        ({"within_days": 367}, "within 367 days"),
        ({"false_alarms_per_km2": 0.0}, "above 0"),
        ({"false_alarms_per_km2": float("nan")}, "above 0"),
        ({"gsd": 0.1}, "0.1 m"),
    ],
)
def test_what_cannot_be_run_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_recipe(replace(RECIPE, **change), today=TODAY)


def test_the_last_day_that_can_be_asked_for_is_today() -> None:
    check_recipe(replace(RECIPE, after=TODAY), today=TODAY)


def test_the_command_of_a_recipe_can_be_typed() -> None:
    words = shlex.split(command_of(replace(RECIPE, area="my area.geojson")))
    assert words[:3] == ["revisit", "compare", "my area.geojson"]
    assert words[words.index("--before") + 1] == "2024-12-07"
    assert words[words.index("--source") + 1] == "folder:scenes"
    assert words[words.index("--baseline") + 1] == "20"
