"""A watch's state: what is watched, what was looked at, what was reported, and what still has to be delivered."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import shapely

from imagery.scene import Scene
from revisit.errors import UsageError
from revisit.plain import iso_time
from revisit.watch_file import explained, open_file
from revisit.watch_values import Judgement, KnownPass, Notice, Reported, SeenPass, WatchedArea, WatchWish


def _now() -> str:
    """Return the time as it is written."""
    return iso_time(datetime.now(UTC).replace(microsecond=0))


def _time(text: str) -> datetime:
    """Return a time as it was written."""
    return datetime.fromisoformat(text)


def _area(row: Sequence[Any]) -> WatchedArea:
    """Return a row of the table of areas."""
    key, name, spec, geojson, source, sensor, rate, baseline, since, look, outcome = row
    wish = WatchWish(
        since=date.fromisoformat(since), sensor=sensor, source=source, false_alarms_per_km2=rate, baseline=baseline
    )
    return WatchedArea(
        key=key,
        name=name,
        spec=spec,
        geojson=geojson,
        wish=wish,
        last_look=_time(look) if look else None,
        last_outcome=outcome,
    )


class WatchState:
    """The state, open. Each method is one transaction: after a kill it happened, or it did not."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self.uid, self.made = self._rows("SELECT uid, made FROM about")[0]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _rows(self, query: str, *values: Any) -> list[Any]:
        with explained(self.path):
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Do all of it or nothing."""
        with explained(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def areas(self, names: Sequence[str] = ()) -> tuple[WatchedArea, ...]:
        """Return what is watched, or those of these names, in the order in which they were added.

        Raises
        ------
        UsageError
            For a name that is not on the list.
        """
        areas = [_area(row) for row in self._rows("SELECT * FROM area ORDER BY id")]
        known = {area.name for area in areas}
        missing = [name for name in names if name not in known]
        if missing:
            listed = ", ".join(sorted(known)) or "nothing"
            raise UsageError(f"{missing[0]!r} is not watched; on the list is {listed}")
        return tuple(area for area in areas if not names or area.name in names)

    def add(self, name: str, spec: str, geojson: str, wish: WatchWish) -> None:
        """Put an area on the list.

        Raises
        ------
        UsageError
            Where the name is on it already.
        """
        if any(area.name == name for area in self.areas()):
            raise UsageError(
                f"{name} is watched already; `revisit watch remove {name}` first, to watch it in another way"
            )
        kept = (name, spec, geojson, wish.source, wish.sensor, wish.false_alarms_per_km2, wish.baseline)
        with self._transaction() as database:
            database.execute(
                "INSERT INTO area (name, spec, geojson, source, sensor, false_alarms, baseline, since)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*kept, f"{wish.since}"),
            )

    def remove(self, name: str) -> None:
        """Take an area off the list, with all that is known of it."""
        with self._transaction() as database:
            database.execute("DELETE FROM area WHERE name = ?", (name,))

    def note_look(self, area: WatchedArea, outcome: str) -> None:
        """Keep what came of a look."""
        with self._transaction() as database:
            database.execute(
                "UPDATE area SET last_look = ?, last_outcome = ? WHERE id = ?", (_now(), outcome, area.key)
            )

    def passes(self, area: WatchedArea, sensor: str) -> tuple[KnownPass, ...]:
        """Return the passes that were looked at, oldest first."""
        rows = self._rows(
            "SELECT id, sensor, acquired, platform, orbit, scene, share, refused FROM pass"
            " WHERE area = ? AND sensor = ? ORDER BY acquired",
            area.key,
            sensor,
        )
        return tuple(
            KnownPass(
                key=key,
                sensor=kind,
                acquired=_time(acquired),
                platform=platform,
                orbit=orbit,
                scene=scene,
                share=share,
                refused=refused,
            )
            for key, kind, acquired, platform, orbit, scene, share, refused in rows
        )

    def keep_pass(self, area: WatchedArea, scene: Scene, share: float, known: KnownPass | None) -> int:
        """Keep how much of a pass is valid; return its row."""
        with self._transaction() as database:
            if known is not None:
                database.execute("UPDATE pass SET scene = ?, share = ? WHERE id = ?", (scene.id, share, known.key))
                return known.key
            about = (iso_time(scene.acquired), scene.platform, scene.relative_orbit, scene.id)
            made = database.execute(
                "INSERT INTO pass (area, sensor, acquired, platform, orbit, scene, share) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (area.key, scene.sensor, *about, share),
            )
            return int(made.lastrowid or 0)

    def settled(self, area: WatchedArea, sensor: str) -> datetime | None:
        """Return the newest pass of the last look that ended, all passes until then being dealt with."""
        rows = self._rows("SELECT until FROM settled WHERE area = ? AND sensor = ?", area.key, sensor)
        return _time(rows[0][0]) if rows else None

    def settle(self, area: WatchedArea, sensor: str, until: datetime) -> None:
        """Keep that every pass until then was dealt with."""
        with self._transaction() as database:
            database.execute("INSERT OR REPLACE INTO settled VALUES (?, ?, ?)", (area.key, sensor, iso_time(until)))

    def judged(self, area: WatchedArea) -> frozenset[tuple[int, int]]:
        """Return the rows of the passes, (before, after), that were compared."""
        rows = self._rows("SELECT before, after FROM comparison WHERE area = ?", area.key)
        return frozenset((before, after) for before, after in rows)

    def chance_so_far(self, area: WatchedArea) -> tuple[int, float]:
        """Return how many comparisons there were, and how many flags chance alone was asked to give in all of them."""
        count, total = self._rows(
            "SELECT count(*), total(by_chance) FROM comparison WHERE area = ? AND refused IS NULL", area.key
        )[0]
        return int(count), float(total)

    def reported(self, area: WatchedArea, before: datetime, after: datetime) -> tuple[Reported, ...]:
        """Return the changes that were reported between dates which overlap these by more than a moment."""
        rows = self._rows(
            "SELECT id, sign, outline FROM change WHERE area = ? AND before < ? AND after > ? ORDER BY rowid",
            area.key,
            iso_time(after),
            iso_time(before),
        )
        return tuple(Reported(id=key, sign=sign, outline=shapely.from_geojson(outline)) for key, sign, outline in rows)

    def notice_id(self, area: WatchedArea, before: SeenPass, after: SeenPass) -> str:
        """Return the id of what is told of a comparison: the same however often it is made."""
        days = (iso_time(one.acquired) for one in (before, after))
        orbit = f"{after.scene.platform}/{after.scene.relative_orbit}"
        text = "\n".join((self.uid, f"{area.key}", area.name, after.scene.sensor, orbit, *days))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def record(self, judgement: Judgement, *, webhook: bool) -> None:
        """Keep a comparison with its changes and what is to be told of them, all in one transaction.

        Parameters
        ----------
        judgement
            The comparison.
        webhook
            Whether its notice is to be sent.
        """
        before, after = judgement.before, judgement.after
        span = iso_time(before.acquired), iso_time(after.acquired)
        with self._transaction() as database:
            values = (judgement.area, before.key, after.key, judgement.run, judgement.flags, judgement.by_chance)
            made = database.execute(
                "INSERT INTO comparison (area, before, after, run, flags, by_chance, refused)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*values, judgement.refused),
            )
            if judgement.refused is not None:
                database.execute("UPDATE pass SET refused = ? WHERE id = ?", (judgement.refused, after.key))
            if judgement.notice is None:
                new: list[tuple[Any, ...]] = []
            else:
                name = str(judgement.notice["id"])
                waiting = "waiting" if webhook else "unwanted"
                payload = json.dumps(judgement.notice, allow_nan=False, separators=(",", ":"))
                database.execute(
                    "INSERT INTO notice (id, area, made, payload, webhook) VALUES (?, ?, ?, ?, ?)",
                    (name, judgement.area, _now(), payload, waiting),
                )
                new = [
                    (f"{name}/{one.flag}", judgement.area, made.lastrowid, one.sign, *span, _geojson(one.outline))
                    for one in judgement.new
                ]
            database.executemany("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?)", new)
            again = [(change, made.lastrowid, flag) for flag, change in judgement.seen_again]
            database.executemany("INSERT INTO sighting VALUES (?, ?, ?)", again)

    def notices(self, names: Sequence[str] = (), *, newest: int | None = None) -> tuple[Notice, ...]:
        """Return what was told, or is to be told, of all areas or of these; oldest first.

        Parameters
        ----------
        names
            Of areas; none: all.
        newest
            Only so many of the newest.
        """
        rows = self._rows(
            "SELECT notice.id, area.name, made, payload, printed, webhook FROM notice"
            " JOIN area ON area.id = notice.area ORDER BY number DESC LIMIT ?",
            -1 if newest is None else newest,
        )
        return tuple(
            Notice(id=key, area=area, made=_time(made), payload=payload, printed=bool(printed), webhook=webhook)
            for key, area, made, payload, printed, webhook in reversed(rows)
            if not names or area in names
        )

    def mark_printed(self, notice: Notice) -> None:
        """Keep that a notice stands on the output."""
        with self._transaction() as database:
            database.execute("UPDATE notice SET printed = 1 WHERE id = ?", (notice.id,))

    def mark_taken(self, notice: Notice) -> None:
        """Keep that the receiver acknowledged a notice."""
        with self._transaction() as database:
            database.execute("UPDATE notice SET webhook = 'taken' WHERE id = ?", (notice.id,))


def _geojson(outline: shapely.Geometry) -> str:
    """Return an outline as text."""
    return str(shapely.to_geojson(outline))


@contextmanager
def open_state(path: Path, *, create: bool = False) -> Iterator[WatchState]:
    """Open a state.

    Parameters
    ----------
    path
        Of its file.
    create
        Whether to make it where there is none.

    Raises
    ------
    UsageError
        Where it cannot be used; `revisit.watch_file.open_file` says when.
    """
    connection = open_file(path, create=_now() if create else None)
    try:
        yield WatchState(path, connection)
    finally:
        connection.close()
