"""`revisit watch` as a scheduler calls it, on a folder of scenes that grows between the calls."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from revisit.cli.main import call
from revisit.outputs import write_run
from revisit.watch_call import alone
from tests.scenery import BLOCK, Pass
from tests.watching import Field, content, light_run, make_field, unnamed, write_field

EMPTY, THERE = Pass(day="2024-12-07"), Pass(day="2024-12-12", block=True)
STILL, GONE = Pass(day="2024-12-17", block=True), Pass(day="2024-12-22")
OVERCAST = slice(0, 160)
PART = slice(40, 60)
"""A third of the area, beside the object."""
OVER = slice(64, 84)
"""A third of the area, over the object."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("revisit.detectability.with_candidates", unnamed, raising=False)
    monkeypatch.setattr("revisit.watch_look.write_run", light_run)


@pytest.fixture
def field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Field:
    return make_field(tmp_path, capsys)


def changes(notices: list[dict[str, object]]) -> list[tuple[str, str, str]]:
    """Return (before, after, sign) of each new change."""
    return [
        (told["before"]["acquired"][:10], told["after"]["acquired"][:10], new["properties"]["change"])  # type: ignore[index]
        for told in notices
        for new in told["new"]["features"]  # type: ignore[index]
    ]


def test_each_call_tells_only_what_is_new(field: Field) -> None:
    """Nothing to look at, looked and nothing, looked and new: sentences that cannot be taken for one another."""
    field.add()
    out, _ = field.watch("run")
    assert out == (
        "testfield: no new imagery; the newest pass is of 2024-12-02 08:20 UTC (Sentinel-2); when the next comes is not"
        " known.\n"
    )
    field.grow(EMPTY)
    out, _ = field.watch("run", "--fail-on-change")
    compared = "testfield: 1 comparison (s2: 2024-12-07 with 2024-12-02, 100 % valid)"
    assert out == f"{compared}, no new change on the ground that was valid on both dates.\n"
    field.grow(THERE)
    out, _ = field.watch("run", "--fail-on-change", code=1)
    assert out.splitlines()[0].endswith("1 new change.")
    assert "testfield: 1 new change between 2024-12-07 and 2024-12-12 (Sentinel-2, orbit 121)" in out
    out, _ = field.watch("run", "--fail-on-change")
    assert "no new imagery; the newest pass is of 2024-12-12" in out
    field.grow(STILL, GONE)
    assert changes(field.told()) == [("2024-12-17", "2024-12-22", "vanished")]
    assert field.told() == []


def test_a_notice_says_what_is_chance_what_could_be_seen_and_where_the_report_is(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("revisit.watch_look.write_run", write_run)
    field.add()
    field.grow(EMPTY, replace(THERE, properties={"simulated": True}))
    (told,) = field.told("--feed", str(field.root / "feed.xml"))
    assert told["simulated"]
    assert told["title"].startswith("SIMULATED: testfield: 1 new change")
    assert "SIMULATED" in told["text"][1]
    assert b"<title>SIMULATED: testfield" in (field.root / "feed.xml").read_bytes()
    new = told["new"]["features"][0]["properties"]
    assert any("SIMULATED" in note for note in new["notes"])
    assert {"p_value", "false_alarms", "candidates", "notes", "sensor"} <= new.keys()
    assert told["chance"]["calibrated"] is False
    assert "two dates alone were asked for" in told["chance"]["why_uncalibrated"]
    assert told["chance"]["by_chance_so_far"] == pytest.approx(2 * told["chance"]["by_chance"], rel=0.01)
    assert told["could_be_seen"].startswith("How small a change would have been seen there was not measured")
    assert any("A flag says that the ground looks different" in line for line in told["caveats"])
    assert Path(told["report"]).is_file()
    assert not [line for line in told["text"] if str(field.root) in line]
    run = json.loads(Path(told["report"]).with_name("run.json").read_text())
    assert [scene["acquired"][:10] for scene in run["scenes"]] == ["2024-12-07", "2024-12-12"]


def test_clouds_are_no_answer_and_what_happens_under_them_is_told_later(field: Field) -> None:
    field.add()
    field.grow(EMPTY, replace(THERE, cloud=OVERCAST))
    out, _ = field.watch("run")
    assert "1 new pass not usable, too little of the ground to be searched is valid (2024-12-12 s2" in out
    assert "no new imagery" in field.watch("run")[0]
    field.grow(STILL)
    assert changes(field.told()) == [("2024-12-07", "2024-12-17", "appeared")]


def test_what_a_thin_pass_hides_is_found_and_what_it_shows_is_told_once(field: Field) -> None:
    """Two thirds of the second pass are clear: its comparison and the next one overlap in time."""
    field.add()
    field.grow(EMPTY, replace(THERE, cloud=PART), STILL)
    told = field.told()
    assert changes(told) == [("2024-12-07", "2024-12-12", "appeared")]
    assert [one["seen_again"] for one in told] == [0]
    shutil.rmtree(field.root / "scenes")
    field.grow(Pass(day="2024-12-02"), EMPTY, replace(THERE, cloud=OVER), STILL)
    field.watch("remove", "testfield")
    field.add()
    assert changes(field.told()) == [("2024-12-07", "2024-12-17", "appeared")]


def test_a_pass_that_is_published_late_brings_nothing_that_was_told(field: Field) -> None:
    field.add()
    field.grow(EMPTY, STILL)
    assert changes(field.told()) == [("2024-12-07", "2024-12-17", "appeared")]
    field.grow(THERE)
    out, _ = field.watch("run")
    assert out.startswith("testfield: 2 comparisons (s2: 2024-12-12 with 2024-12-07")
    assert "no new change" in out
    assert field.told() == []


def test_another_processing_of_a_pass_is_not_another_pass(field: Field) -> None:
    field.add()
    field.grow(EMPTY, THERE)
    assert len(field.told()) == 1
    item = field.root / "scenes" / f"{THERE.id}.json"
    told = json.loads(item.read_text())
    told["id"] += "_again"
    told["properties"] |= {"s2:processing_baseline": "05.12", "datetime": "2024-12-12T08:24:00Z"}
    item.with_name("again.json").write_text(json.dumps(told))
    assert "no new imagery" in field.watch("run")[0]
    item.unlink()
    assert "no new imagery" in field.watch("run")[0]


def test_an_area_that_cannot_be_looked_at_is_exit_3_and_comes_again(field: Field) -> None:
    field.add()
    field.grow(EMPTY)
    shutil.move(field.root / "scenes", field.root / "away")
    out, _ = field.watch("run", code=3)
    assert out.startswith("testfield: could not look: the folder of scenes")
    assert out.endswith("Tried again at the next call.\n")
    assert "no new" not in out
    shutil.move(field.root / "away", field.root / "scenes")
    assert "1 comparison (s2: 2024-12-07 with 2024-12-02" in field.watch("run")[0]


def test_a_scene_whose_copying_is_not_done_waits_and_nothing_is_denied(field: Field) -> None:
    field.add("--since", "2024-12-10")
    field.grow(EMPTY, THERE)
    band = field.root / "scenes" / THERE.id / "B03.tif"
    whole = band.read_bytes()
    band.write_bytes(whole[: len(whole) // 2])
    out, _ = field.watch("run")
    assert "no new imagery that can be used (the source says: S2B_L2A_20241212T082000: B03.tif: truncated" in out
    band.write_bytes(whole)
    assert changes(field.told()) == [("2024-12-07", "2024-12-12", "appeared")]


def test_a_change_is_exit_1_even_where_another_area_failed(field: Field) -> None:
    """The failure comes again at the next call, the change does not."""
    field.add()
    broken = field.root / "broken"
    broken.mkdir()
    other = write_field(field.root / "other.geojson", "other")
    field.watch("add", str(other), "--source", f"folder:{broken}", "--since", "2024-12-05")
    field.grow(EMPTY, THERE)
    out, _ = field.watch("run", "--fail-on-change", code=1)
    assert "other: could not look" in out
    field.watch("run", "--fail-on-change", code=3)
    listed, _ = field.watch("list", "--json")
    assert [(one["name"], one["notices"]) for one in json.loads(listed)["areas"]] == [("testfield", 1), ("other", 0)]


def test_a_second_call_at_the_same_time_does_nothing_and_says_so(field: Field) -> None:
    field.add()
    before = content(field.state)
    with alone(field.state):
        out, err = field.watch("run", code=3)
        assert (out, "another call is at work" in err) == ("", True)
        assert "another call is at work" in field.watch("remove", "testfield", code=3)[1]
        assert "not looked at yet" in field.watch("list")[0]
    assert content(field.state) == before


def test_areas_alone_are_added_and_looked_at(field: Field) -> None:
    field.grow(EMPTY, THERE)
    options = ["--source", f"folder:{field.root / 'scenes'}", "--since", "2024-12-05", "--baseline", "0"]
    out, err = field.watch(str(field.root / "area.geojson"), *options, "--sensor", "s2")
    assert "testfield is watched from 2024-12-05 on: Sentinel-2" in err
    assert "1 new change" in out
    out, err = field.watch("testfield")
    assert "is watched from" not in err
    assert "no new imagery" in out


def test_the_area_is_kept_as_it_was_added(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    field.add()
    (field.root / "area.geojson").unlink()
    (field.root / "elsewhere").mkdir()
    monkeypatch.chdir(field.root / "elsewhere")
    field.grow(EMPTY, THERE)
    assert len(field.told()) == 1
    assert list((field.root / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "there is no state"),
        (["list"], "there is no state"),
        (["run", "--webhook", "https://example.org/x"], "REVISIT_WEBHOOK_SECRET is not set"),
        (["add", "khmeimin"], "Did you mean khmeimim?"),
        (["add", "khmeimim", "--sensor", "landsat"], "'landsat'; known: auto, s2, s1"),
        (["add", "khmeimim", "--false-alarms", "0"], "choose a number above 0"),
        (["add", "khmeimim", "--since", "2999-01-01"], "--since (2999-01-01) lies in the future"),
        (["add", "khmeimim", "--source", "folder:/absent"], "'/absent' does not exist"),
        (["remove", "khmeimim"], "there is no state"),
        (["add", "khmeimim", "--sensor", "s3"], "'s3'; known: auto, s2, s1"),
    ],
)
def test_wrong_input_is_one_line_with_its_values(field: Field, arguments: list[str], message: str) -> None:
    assert call(["watch", *arguments, "--state", str(field.state)]) == 2
    shown = field.capsys.readouterr()
    assert message in shown.err.splitlines()[-1]
    assert shown.out == ""


def test_where_there_is_no_state_nothing_is_made(field: Field) -> None:
    far = field.root / "absent" / "state.sqlite"
    assert call(["watch", "run", "--state", str(far)]) == 2
    assert not far.parent.exists()


def test_what_cannot_be_watched_twice_is_said(field: Field) -> None:
    field.add()
    assert "--wait -1: choose 0 to 86400 s" in field.watch("run", "--wait", "-1", code=2)[1]
    assert "'testfield' is on the list already; `revisit watch remove` it" in field.add(code=2)
    assert "'apron' is not watched; on the list is testfield" in field.watch("run", "apron", code=2)[1]


def test_the_block_of_the_scenery_is_not_under_the_part_that_is_clouded() -> None:
    assert PART.stop < BLOCK[0].start
    assert OVER.start < BLOCK[0].start < BLOCK[0].stop < OVER.stop
