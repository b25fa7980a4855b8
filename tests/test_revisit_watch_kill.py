"""A watch that is killed with SIGKILL: at each step that it keeps something, and at any time. Nothing is lost, and in
the state nothing is there twice; the next call ends what was begun."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from aoi.formats import load_area
from aoi.geojson import area_as_geojson
from revisit.watch_hook import SECRET_VARIABLE
from revisit.watch_store import open_state
from revisit.watch_values import WatchWish
from tests.receiver import ROOT, SECRET
from tests.scenery import Pass, write_scenes
from tests.servers import FOR_EVER, Fault, Server, start
from tests.watching import content, write_field

PASSES = (Pass(day="2024-12-02"), Pass(day="2024-12-07"), Pass(day="2024-12-12", block=True), Pass(day="2024-12-31"))
"""The last is so much newer that the others would be taken for dealt with, if looking at them counted for that."""
NOTICES = 2
STORE, LOOK = "revisit.watch_store", "revisit.watch_look"
POINTS = (
    (STORE, "WatchState.keep_pass", "after", 3),
    (LOOK, "write_run", "before", 1),
    (LOOK, "write_run", "after", 2),
    (STORE, "WatchState.record", "before", 3),
    (STORE, "_geojson", "after", 1),
    (STORE, "WatchState.record", "after", 2),
    (STORE, "WatchState.settle", "before", 1),
    (STORE, "WatchState.note_look", "after", 1),
    (STORE, "WatchState.mark_printed", "before", 1),
    (STORE, "WatchState.mark_printed", "after", 1),
    ("imagery.http.posting", "deliver", "before", 2),
    ("imagery.http.posting", "deliver", "after", 1),
    (STORE, "WatchState.mark_taken", "after", 1),
    ("revisit.watch_feed", "feed_of", "after", 1),
)
PRINTED_TWICE = {POINTS[8], POINTS[9]}
"""Killed between printing and keeping that: what was printed cannot be taken back."""
SENT_TWICE = {POINTS[11]}
"""Killed between the receiver's acknowledgement and keeping it."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One state that is looked at until the end."""

    folder: Path
    server: Server
    zygote: subprocess.Popen[str]

    @property
    def state(self) -> Path:
        return self.folder / "state.sqlite"

    @property
    def feed(self) -> Path:
        return self.folder / "feed.xml"

    @property
    def hook(self) -> str:
        return f"/hook/{self.folder.name}"

    def call(self, kill: Any = None, *, warm: bool = False) -> int:
        """Look; return how it ended."""
        arguments = ["watch", "run", "--json", "--state", str(self.state), "--feed", str(self.feed)]
        arguments += ["--webhook", self.server.url + self.hook]
        told = {"arguments": arguments, "kill": kill, "warm": warm, "out": str(self.folder / "out.txt")}
        assert self.zygote.stdin
        assert self.zygote.stdout
        self.zygote.stdin.write(json.dumps(told) + "\n")
        self.zygote.stdin.flush()
        return int(self.zygote.stdout.readline())

    def printed(self) -> Counter[str]:
        """Return how often each notice was printed."""
        decoder, text, found = json.JSONDecoder(), (self.folder / "out.txt").read_text(), Counter[str]()
        while text.strip():
            document, end = decoder.raw_decode(text.lstrip())
            text = text.lstrip()[end:]
            found.update(one["id"] for one in document["notices"])
        return found

    def sent(self) -> Counter[str]:
        """Return how often each notice was sent, always with the same bytes."""
        log = self.server.log(self.hook)
        assert len({one.body for one in log}) == len({one.headers["idempotency-key"] for one in log})
        return Counter(one.headers["idempotency-key"] for one in log)

    def told(self) -> list[Any]:
        """Return the notices of the state without the paths in them."""
        with closing(sqlite3.connect(self.state)) as database:
            rows = [json.loads(row[0]) for row in database.execute("SELECT payload FROM notice ORDER BY number")]
        return [{key: value for key, value in one.items() if key not in {"report", "text"}} for one in rows]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a state that has everything before it."""
    root = tmp_path_factory.mktemp("killed")
    write_scenes(root / "scenes", *PASSES)
    area = write_field(root / "area.geojson")
    (root / "template").mkdir()
    wish = WatchWish(since=date(2024, 12, 5), sensor="s2", source=f"folder:{root / 'scenes'}", baseline=0)
    with open_state(root / "template" / "state.sqlite", create=True) as state:
        state.add("testfield", str(area), area_as_geojson(load_area(str(area))), wish)
    return root


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with start("blank") as made:
        made.fault("POST /hook/*", [Fault(status=204, times=FOR_EVER)])
        yield made


@pytest.fixture(scope="module")
def zygote() -> Iterator[subprocess.Popen[str]]:
    """Give the process that forks the victims."""
    environment = os.environ | {SECRET_VARIABLE: SECRET, "LIGHT_RUNS": "1"}
    command = [sys.executable, "-m", "tests.victims"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


def case(template: Path, name: str, server: Server, zygote: subprocess.Popen[str]) -> Case:
    shutil.copytree(template / "template", template / name)
    return Case(folder=template / name, server=server, zygote=zygote)


@pytest.fixture(scope="module")
def undisturbed(template: Path, server: Server, zygote: subprocess.Popen[str]) -> Case:
    """Return what a call leaves that nobody disturbs."""
    made = case(template, "undisturbed", server, zygote)
    assert made.call(warm=True) == 0
    assert sorted(made.sent().values()) == [1] * NOTICES
    return made


def check_end(one: Case, undisturbed: Case) -> None:
    """Hold a state at its end against the undisturbed one, and see that a further call tells nothing."""
    assert content(one.state) == content(undisturbed.state)
    assert one.told() == undisturbed.told()
    assert set(one.sent()) == set(one.printed()) == set(undisturbed.sent())
    runs = [sorted(path.name for path in (each.folder / "runs").iterdir()) for each in (one, undisturbed)]
    assert runs[0] == runs[1]
    before = one.printed(), one.sent(), one.feed.read_bytes()
    assert one.call() == 0
    assert (one.printed(), one.sent(), one.feed.read_bytes()) == before


@pytest.mark.parametrize("point", POINTS, ids=lambda point: "-".join(map(str, point[1:])))
def test_killed_at_a_step_and_called_again_it_ends_as_if_undisturbed(
    point: tuple[str, str, str, int], template: Path, undisturbed: Case, server: Server, zygote: subprocess.Popen[str]
) -> None:
    one = case(template, "-".join(map(str, point[1:])), server, zygote)
    assert one.call(list(point)) == -9
    assert one.call() == 0
    assert max(one.printed().values()) == (2 if point in PRINTED_TWICE else 1)
    assert max(one.sent().values()) == (2 if point in SENT_TWICE else 1)
    check_end(one, undisturbed)


@pytest.mark.parametrize("seed", range(4))
def test_killed_again_and_again_at_any_time_it_ends_as_if_undisturbed(
    seed: int, template: Path, undisturbed: Case, server: Server, zygote: subprocess.Popen[str]
) -> None:
    one, chance = case(template, f"random-{seed}", server, zygote), random.Random(seed)
    ends = [one.call(chance.uniform(0.02, 0.6)) for _ in range(5)]
    assert set(ends) <= {-9, 0}
    assert one.call() == 0
    check_end(one, undisturbed)
