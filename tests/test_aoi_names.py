"""Names from files and people, and the file names made of them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoi import AOIError
from aoi.names import clean_name, clean_text, shown, slug


@pytest.mark.parametrize(
    "name", ["apron-north", "<script>alert(1)</script>", "مرفأ طرطوس", "می\u200cروم", "a/../b", "x" * 80]
)
def test_names_of_all_languages_are_text(name: str) -> None:
    assert clean_name(f"  {name} ", "the name") == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "is empty"),
        (" \t ", "is empty"),
        ("x" * 81, "81 characters, at most 80"),
        ("a\x1b[2Jb", r"U\+001B"),
        ("a\nb", r"U\+000A"),
        ("\u202egpj.exe", r"U\+202E"),
        ("\ud800", r"U\+D800"),
        ("a\u2028b", r"U\+2028"),
        (7, "must be a text, not 7"),
        (None, "must be a text"),
    ],
)
def test_names_that_steer_or_hide_are_refused(name: object, message: str) -> None:
    with pytest.raises(AOIError, match=message):
        clean_name(name, "the name of a zone")


def test_longer_texts_have_their_own_limit() -> None:
    assert clean_text("x" * 500, "the source") == "x" * 500
    with pytest.raises(AOIError, match="the source has 501 characters"):
        clean_text("x" * 501, "the source")


def test_a_long_value_is_cut_in_a_message() -> None:
    assert shown([1] * 1000) == "[1, " + "1, " * 24 + "1..."


@pytest.mark.parametrize(
    ("name", "file"),
    [("al-jufra", "al-jufra"), ("Al Jufra", "al-jufra"), ("../../etc/passwd", "etc-passwd"), ("São Tomé", "sao-tome")],
)
def test_plain_names_keep_their_letters(name: str, file: str) -> None:
    assert slug(name) == file


def test_names_in_other_scripts_do_not_meet_in_one_file() -> None:
    assert slug("طرطوس") != slug("بنغازي")
    assert re.fullmatch(r"area-[0-9a-f]{8}", slug("طرطوس"))


@pytest.mark.parametrize("device", ["con", "NUL", "com1", "LPT9", "...", ""])
def test_names_that_a_system_keeps_get_a_suffix(device: str) -> None:
    assert re.fullmatch(r"(\w+)-[0-9a-f]{8}", slug(device))


@given(st.text())
def test_a_file_name_is_safe_whatever_the_name(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug(name))
    assert len(slug(name)) <= 69
