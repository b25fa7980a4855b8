"""Files of claims: what is read, and how wrong ones are refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from revisit.claims import Claims, load_claims, parse_claims
from revisit.errors import UsageError

SOURCE = '[source]\ntitle = "T"\npublisher = "P"\npublished = 2024-12-17\n\n'
CLAIM = """[[claim]]
id = "C1"
statement = "A transport stands there."
place = "khmeimim/apron-north"
kind = "appeared"
object = "An-124"
from = 2024-12-08
to = 2024-12-13
"""


def parse(text: str, folder: Path | None = None) -> Claims:
    return parse_claims(text, name="file", path="file.toml", files=folder)


def test_a_claim_is_read() -> None:
    claim = parse(SOURCE + CLAIM + "count = 2\n").claims[0]
    assert (claim.place, claim.object, claim.count, claim.days) == ("khmeimim/apron-north", "An-124", 2, 6)
    assert (claim.start, claim.end, claim.publication.published) == (
        date(2024, 12, 8),
        date(2024, 12, 13),
        date(2024, 12, 17),
    )


def test_an_object_may_be_a_length_and_a_claim_may_have_its_own_publisher() -> None:
    claim = parse(
        SOURCE + CLAIM.replace('"An-124"', "55.5") + 'published_by = "Q"\npublished_on = "2024-12-14"\n'
    ).claims[0]
    assert (claim.object, claim.length_m, claim.publication.publisher) == (None, 55.5, "Q")
    assert claim.publication.published == date(2024, 12, 14)


def test_an_area_file_stands_beside_the_claims(tmp_path: Path) -> None:
    (tmp_path / "here.geojson").write_text("{}")
    text = SOURCE + CLAIM.replace('place = "khmeimim/apron-north"', 'geometry = "here.geojson"')
    assert parse(text, tmp_path).claims[0].file == tmp_path / "here.geojson"
    with pytest.raises(UsageError, match="built-in file names sites only"):
        parse(text)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ('kind = "appeared"', 'kind = "arrived"', 10, "choose present, appeared, left"),
        ('kind = "appeared"', 'kid = "appeared"', 10, "did you mean 'kind'"),
        ('"An-124"', '"An-125"', 11, "An-124"),
        ('object = "An-124"', "", 6, "needs an object"),
        ("khmeimim/apron-north", "khmeimim/apron-nort", 9, "did you mean 'apron-north'"),
        ("khmeimim/apron-north", "kmeimim", 9, "did you mean 'khmeimim'"),
        ("from = 2024-12-08", "from = 2024-12-18", 12, "exchange them"),
        ("from = 2024-12-08", 'from = "8 Dec"', 12, "write it as"),
        ("from = 2024-12-08", "from = 2024-13-08", 12, "a date is written 2024-12-07"),
        ("from = 2024-12-08", "from = 2024-12-08\nfrom = 2024-12-08", 13, "each key comes once"),
        ('"An-124"', '"An124"', 11, "did you mean 'An-124'"),
        ("to = 2024-12-13", "to = 2036-12-13", 13, "longer than 3660 days"),
        ('id = "C1"', 'id = "C 1"', 7, "may hold letters"),
        ('statement = "A transport stands there."', 'statement = ""', 8, "must be a text"),
        ('place = "khmeimim/apron-north"', "", 6, "exactly one of place"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(old: str, new: str, line: int, message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        parse(SOURCE + CLAIM.replace(old, new))
    assert f"file.toml, line {line}:" in str(refused.value)


def test_the_line_is_that_of_the_second_claim_where_the_second_is_wrong() -> None:
    with pytest.raises(UsageError, match=r"line 15: the id 'C1' comes twice"):
        parse(SOURCE + CLAIM + CLAIM)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"no \[source\]"),
        (SOURCE, r"no \[\[claim\]\]"),
        (SOURCE + CLAIM + "[extra]\n", "no table 'extra'"),
        ("[source\n", "it is not TOML"),
        (SOURCE + CLAIM * 201, "200 at most"),
    ],
)
def test_a_file_without_the_tables_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(text)


def test_the_built_in_file_speaks_of_the_article() -> None:
    claims = load_claims("syria-2024-12").claims
    said = {(claim.place, claim.kind, claim.object) for claim in claims}
    assert ("khmeimim/helicopter-stands", "state", "Ka-52") in said
    assert ("benghazi/quay-city", "appeared", "ship-120m") in said
    assert len({claim.id for claim in claims}) == len(claims) >= 7


def test_a_file_that_is_not_there_is_named_with_the_built_in_ones() -> None:
    with pytest.raises(UsageError, match=r"No such file or directory\. Built in: syria-2024-12"):
        load_claims("nowhere.toml")
