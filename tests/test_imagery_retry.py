"""Waits, Retry-After and expiry: pure functions, held against what RFC 9110 and the servers say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagery.retry import (
    LAST_CEILING_S,
    LEAST_WAIT_S,
    MOST_WAIT_S,
    asked_wait_s,
    backoff_s,
    ceiling_s,
    lifetime_s,
    parse_date,
    wait_s,
)

NOW = datetime(2024, 12, 20, 8, 30, tzinfo=UTC)
FAILURES = st.integers(1, 10**6)
DRAWS = st.floats(0, 1)


@given(FAILURES, DRAWS, st.none() | st.floats(0, 1e15))
def test_waits_are_bounded(failures: int, draw: float, asked_s: float | None) -> None:
    assert LEAST_WAIT_S <= wait_s(failures, asked_s=asked_s, draw=draw) <= MOST_WAIT_S


@given(FAILURES, DRAWS, st.none() | st.floats(0, 1e15))
def test_waits_grow_with_the_failures(failures: int, draw: float, asked_s: float | None) -> None:
    assert wait_s(failures, asked_s=asked_s, draw=draw) <= wait_s(failures + 1, asked_s=asked_s, draw=draw)


@given(FAILURES, DRAWS, st.floats(LEAST_WAIT_S, MOST_WAIT_S))
def test_a_server_gets_the_time_it_asks_for(failures: int, draw: float, asked_s: float) -> None:
    assert wait_s(failures, asked_s=asked_s, draw=draw) >= asked_s
    assert wait_s(1, asked_s=asked_s, draw=draw) == asked_s


@given(FAILURES)
def test_jitter_is_full(failures: int) -> None:
    assert backoff_s(failures, 0.0) == LEAST_WAIT_S
    assert backoff_s(failures, 1.0) == ceiling_s(failures) <= LAST_CEILING_S


def test_ceilings_double_and_end() -> None:
    assert [ceiling_s(n) for n in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize(
    ("text", "milliseconds", "expected"),
    [
        ("2", False, 2.0),
        ("0.5", False, 0.5),
        ("3398", True, 3.398),
        ("0", False, 0.0),
        ("1000000000", False, 1e9),
        (format_datetime(NOW + timedelta(seconds=40), usegmt=True), False, 40.0),
        (format_datetime(NOW + timedelta(seconds=40), usegmt=True), True, 40.0),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), False, 0.0),
    ],
)
def test_retry_after_is_understood(text: str, milliseconds: bool, expected: float) -> None:
    assert asked_wait_s({"retry-after": text}, milliseconds=milliseconds, now=NOW) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "-3", "nan", "inf", "1e9", "soon", "5 s", "٣", "1,5", "9" * 400, "Fri, 99 Foo 1"])
def test_nonsense_in_retry_after_asks_for_nothing(text: str) -> None:
    assert asked_wait_s({"retry-after": text}, milliseconds=False, now=NOW) is None


@given(st.text(), st.text(), st.booleans())
def test_no_header_breaks_the_reader(text: str, date: str, milliseconds: bool) -> None:
    asked_s = asked_wait_s({"retry-after": text, "date": date}, milliseconds=milliseconds, now=NOW)
    assert asked_s is None or asked_s >= 0


@given(st.datetimes(datetime(1970, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_dates_survive_the_way_through_a_header(date: datetime) -> None:
    assert parse_date(format_datetime(date, usegmt=True)) == date.replace(microsecond=0)


@pytest.mark.parametrize("wrong_by", [timedelta(days=-1), timedelta(0), timedelta(days=1)])
def test_row_33_a_wrong_clock_changes_neither_expiry_nor_waits(wrong_by: timedelta) -> None:
    headers = {"date": format_datetime(NOW, usegmt=True)}
    headers["retry-after"] = format_datetime(NOW + timedelta(seconds=7), usegmt=True)
    assert lifetime_s(NOW + timedelta(minutes=45), headers, now=NOW + wrong_by) == 45 * 60
    assert lifetime_s(NOW - timedelta(seconds=1), headers, now=NOW + wrong_by) == -1
    assert asked_wait_s(headers, milliseconds=False, now=NOW + wrong_by) == 7


def test_without_a_date_the_own_clock_is_the_measure() -> None:
    assert lifetime_s(NOW + timedelta(seconds=5), {"date": "yesterday"}, now=NOW) == 5
