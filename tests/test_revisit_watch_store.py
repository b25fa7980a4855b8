"""The state of a watch as a file: made private, checked before it is believed, and changed whole or not at all."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from shapely.geometry import box

from revisit import watch_store
from revisit.errors import UsageError
from revisit.watch_call import BusyError, alone
from revisit.watch_file import VERSION
from revisit.watch_store import WatchState, open_state
from revisit.watch_values import Judgement, NewChange, SeenPass, WatchWish
from tests.passes import scene

WISH = WatchWish(since=date(2024, 12, 1))
ROOT = Path(__file__).parents[1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the file of a state with one area."""
    file = tmp_path / "state.sqlite"
    with open_state(file, create=True) as state:
        state.add("field", "field.geojson", "{}", WISH)
    return file


@pytest.fixture
def state(path: Path) -> Iterator[WatchState]:
    with open_state(path) as opened:
        yield opened


def refusal(path: Path) -> str:
    """Return why a file is not used as a state."""
    with pytest.raises(UsageError) as caught, open_state(path):
        pass
    return str(caught.value)


def judgement(state: WatchState, day: int = 12, **changed: Any) -> Judgement:
    """Return a comparison of two passes that shows one new change."""
    (area,) = state.areas()
    looked = []
    for number in (7, day):
        one = scene(f"P{number}", acquired=scene("x").acquired.replace(day=number))
        known = next((p for p in state.passes(area, "s2") if p.acquired == one.acquired), None)
        key = state.keep_pass(area, one, 1.0, known)
        looked.append(SeenPass(key=key, scene=one, acquired=one.acquired, share=1.0))
    new = NewChange(flag="F1", sign="appeared", outline=box(35.95, 35.4, 35.951, 35.401))
    notice = {"id": state.notice_id(area, *looked), "title": "\ud800 odd"}
    made = Judgement(
        area=area.key, before=looked[0], after=looked[1], run="r", flags=1, by_chance=0.1, new=(new,), notice=notice
    )
    return replace(made, **changed)


def test_nobody_else_may_read_it(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(p.name for p in path.parent.iterdir()) == ["state.sqlite"]


def test_what_is_added_is_there_again(path: Path) -> None:
    with open_state(path) as state:
        assert [(area.name, area.spec, area.wish) for area in state.areas()] == [("field", "field.geojson", WISH)]
        with pytest.raises(UsageError, match="field is watched already"):
            state.add("field", "f", "{}", WISH)
        with pytest.raises(UsageError, match="'apron' is not watched; on the list is field"):
            state.areas(["apron"])


def test_a_comparison_is_kept_whole(state: WatchState) -> None:
    made = judgement(state)
    state.record(made, webhook=True)
    (area,), (notice,) = state.areas(), state.notices()
    assert state.judged(area) == {(made.before.key, made.after.key)}
    assert (notice.printed, notice.webhook) == (False, "waiting")
    comparisons, chance = state.chance_so_far(area)
    assert (comparisons, round(chance, 6)) == (1, 0.1)
    assert [one.sign for one in state.reported(area, made.before.acquired, made.after.acquired)] == ["appeared"]


def test_a_comparison_that_fails_half_way_leaves_nothing(state: WatchState, monkeypatch: pytest.MonkeyPatch) -> None:
    made = judgement(state)

    def broken(_: object) -> str:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(watch_store, "_geojson", broken)
        with pytest.raises(RuntimeError):
            state.record(made, webhook=True)
    (area,) = state.areas()
    assert (state.judged(area), state.notices()) == (frozenset(), ())
    state.record(made, webhook=True)
    assert len(state.notices()) == 1


def test_the_same_comparison_cannot_be_kept_twice(state: WatchState) -> None:
    state.record(judgement(state), webhook=False)
    with pytest.raises(UsageError):
        state.record(judgement(state), webhook=False)
    assert len(state.notices()) == 1


def test_changes_count_as_reported_while_their_dates_overlap(state: WatchState) -> None:
    made = judgement(state)
    state.record(made, webhook=False)
    (area,) = state.areas()
    day = made.before.acquired.replace
    assert len(state.reported(area, day(day=1), day(day=8))) == 1
    assert state.reported(area, day(day=12), day(day=17)) == ()
    assert state.reported(area, day(day=1), day(day=7)) == ()


def test_what_is_removed_is_forgotten(state: WatchState) -> None:
    state.record(judgement(state), webhook=True)
    state.remove("field")
    assert (state.areas(), state.notices()) == ((), ())


def test_without_a_state_it_is_said_how_to_make_one(tmp_path: Path) -> None:
    assert "`revisit watch add AREA` makes it" in refusal(tmp_path / "absent.sqlite")


def test_what_is_no_state_is_left_as_it_is(tmp_path: Path) -> None:
    text, other = tmp_path / "thesis.txt", tmp_path / "other.sqlite"
    text.write_text("mine")
    with closing(sqlite3.connect(other)) as made:
        made.execute("CREATE TABLE books (title TEXT)")
    before = other.read_bytes()
    assert "is no state of a watch" in refusal(text)
    assert "is a database of another program" in refusal(other)
    assert "is no file" in refusal(tmp_path)
    assert (text.read_text(), other.read_bytes()) == ("mine", before)


def test_a_newer_state_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as made:
        made.execute(f"PRAGMA user_version = {VERSION + 1}")
    assert f"newer revisit (tables of version {VERSION + 1}; this one knows {VERSION}): update" in refusal(path)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_damaged_state_is_told_and_never_believed(path: Path, share: float) -> None:
    """A page of it overwritten: never a traceback, and never a list without what was in it."""
    with open_state(path) as state:
        for k in range(200):
            state.add(f"field-{k}", "x" * 300, "{}", WISH)
    content = bytearray(path.read_bytes())
    start = int(share * len(content)) // 4096 * 4096
    content[start + 100 : start + 4096] = b"\xa5" * 3996
    path.write_bytes(bytes(content))
    message = refusal(path)
    assert "damaged" in message or "cannot be used" in message
    assert "\n" not in message


def test_a_state_cut_short_is_told(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])
    assert "is damaged" in refusal(path)


def test_a_state_that_cannot_be_written_is_told(path: Path) -> None:
    """In a process that is not root's, for whom nothing is read-only."""
    path.chmod(0o444)
    path.parent.chmod(0o755)
    for above in path.parents:
        if above.owner() == path.owner() and above != Path("/") and not above.stat().st_mode & 0o001:
            above.chmod(above.stat().st_mode | 0o011)
    ask = (
        "import os, sys\nfrom pathlib import Path\nfrom revisit.watch_store import open_state\n"
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "try:\n with open_state(Path(sys.argv[1])): print('opened')\nexcept ValueError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", ask, str(path)], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "read-only: what was reported could not be kept" in done.stdout


def test_a_second_call_is_told_that_one_is_at_work_and_a_killed_one_holds_nothing(path: Path) -> None:
    hold = (
        "import sys, time\nfrom pathlib import Path\nfrom revisit.watch_call import alone\n"
        "with alone(Path(sys.argv[1])):\n print('held', flush=True)\n time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", hold, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert other.stdout
    assert other.stdout.readline() == "held\n"
    with pytest.raises(BusyError, match="another call is at work"), alone(path):
        pass
    other.kill()
    other.wait()
    other.stdout.close()
    with alone(path):
        pass


def test_a_disk_without_links_holds_a_state_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", unsupported)
    with open_state(tmp_path / "state.sqlite", create=True) as state:
        assert state.areas() == ()
    assert [path.name for path in tmp_path.iterdir()] == ["state.sqlite"]


def test_two_that_make_the_same_state_end_with_one(tmp_path: Path) -> None:
    file = tmp_path / "state.sqlite"
    with open_state(file, create=True) as first, open_state(file, create=True) as second:
        first.add("a", "a", "{}", WISH)
        assert [area.name for area in second.areas()] == ["a"]
        assert first.uid == second.uid
    assert os.listdir(tmp_path) == ["state.sqlite"]  # noqa: PTH208
