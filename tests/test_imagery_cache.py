"""The cache: no bad hit, whatever happens to its files, its disk and the processes that use it."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from imagery.cache import Cache
from imagery.exchange import Hosts, Request, Response

ROOT = Path(__file__).parents[1]
MIB = 1 << 20
HOSTS = Hosts(suffixes=("example.org",))
RECEIVED = datetime(2024, 12, 20, 8, 30, 15, 250_000, tzinfo=UTC)


def request(number: int = 0) -> Request:
    return Request(url=f"https://data.example.org/{number}.tif", hosts=HOSTS)


def response(number: int = 0, *, size: int = 5000, etag: str = '"one"') -> Response:
    content = random.Random(number).randbytes(size)
    headers = {"etag": etag, "content-type": "image/tiff", "set-cookie": "session=canary"}
    return Response(
        url=request(number).url, status=206, headers=headers, content=content, received=RECEIVED, from_cache=False
    )


def filled(root: Path, count: int = 1, *, most_bytes: int = MIB) -> Cache:
    cache = Cache(root, most_bytes=most_bytes)
    for number in range(count):
        cache.put(cache.key(request(number)), response(number))
    return cache


def only(root: Path, suffix: str) -> Path:
    (found,) = (root / "entries").rglob(f"*{suffix}")
    return found


def test_what_was_put_comes_back_in_another_process_object(tmp_path: Path) -> None:
    key = filled(tmp_path / "c").key(request())
    found = Cache(tmp_path / "c", most_bytes=MIB).get(key)
    assert found
    assert (found.content, found.status, found.url) == (response().content, 206, request().url)
    assert found.received == RECEIVED
    assert found.from_cache
    assert found.headers == {"etag": '"one"', "content-type": "image/tiff"}


def test_an_empty_answer_is_an_answer(tmp_path: Path) -> None:
    cache = Cache(tmp_path, most_bytes=MIB)
    cache.put(cache.key(request()), replace(response(), content=b""))
    found = cache.get(cache.key(request()))
    assert found
    assert found.content == b""


def test_nothing_kept_is_none_and_makes_no_folder(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c", most_bytes=MIB)
    assert cache.get(cache.key(request())) is None
    assert not (tmp_path / "c").exists()
    assert cache.notes == []


def test_the_key_tells_apart_all_that_decides_the_answer(tmp_path: Path) -> None:
    cache, base = Cache(tmp_path, most_bytes=MIB), request()
    others = [
        replace(base, url=base.url + "?"),
        replace(base, method="POST"),
        replace(base, body={}),
        replace(base, body={"limit": 1}),
        replace(base, span=(0, 10)),
        replace(base, span=(1, 10)),
        replace(base, span=(0, 10), version='"a"'),
        replace(base, version='"a"'),
    ]
    keys = [cache.key(one) for one in (base, *others)]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 64 for key in keys)


def test_the_key_knows_neither_the_order_of_a_body_nor_headers(tmp_path: Path) -> None:
    cache = Cache(tmp_path, most_bytes=MIB)
    one = replace(request(), method="POST", body={"a": 1, "b": [2, 3]}, headers={"x-secret": "canary"})
    other = replace(request(), method="POST", body={"b": [2, 3], "a": 1})
    assert cache.key(one) == cache.key(other)


def test_folders_and_files_are_closed_to_others(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        filled(tmp_path / "deep" / "c")
    finally:
        os.umask(old)
    made = [tmp_path / "deep" / "c", *(tmp_path / "deep" / "c").rglob("*")]
    assert {path.stat().st_mode & 0o777 for path in made if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in made if path.is_file()} == {0o600}


def test_a_given_folder_keeps_its_own_permissions(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    filled(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_entries_that_others_may_have_written_are_not_used(tmp_path: Path) -> None:
    key = filled(tmp_path).key(request())
    (tmp_path / "entries").chmod(0o777)
    cache = Cache(tmp_path, most_bytes=MIB)
    assert cache.get(key) is None
    cache.put(key, response())
    assert len(cache.notes) == 2
    assert all("other users may write" in note for note in cache.notes)


def test_no_header_that_could_carry_a_secret_is_written(tmp_path: Path) -> None:
    filled(tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"canary" in path.read_bytes()]


def truncate(data: Path) -> None:
    data.write_bytes(data.read_bytes()[:-1])


def flip(data: Path) -> None:
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 0x10
    data.write_bytes(content)


DAMAGES: dict[str, tuple[Callable[[Path], object], Callable[[Path], object]]] = {
    "truncated": (truncate, lambda _: None),
    "flipped": (flip, lambda _: None),
    "emptied": (lambda data: data.write_bytes(b""), lambda _: None),
    "longer": (lambda data: data.write_bytes(data.read_bytes() + b"x"), lambda _: None),
    "data gone": (Path.unlink, lambda _: None),
    "side gone": (lambda _: None, Path.unlink),
    "side empty": (lambda _: None, lambda side: side.write_bytes(b"")),
    "side cut": (lambda _: None, truncate),
    "side not text": (lambda _: None, lambda side: side.write_bytes(b"\xff\xfe")),
    "side a list": (lambda _: None, lambda side: side.write_text("[]")),
    "side deep": (lambda _: None, lambda side: side.write_text("[" * 60_000)),
    "side of another schema": (lambda _: None, lambda side: side.write_text(side.read_text().replace("1,", "0,", 1))),
    "side of another key": (
        lambda _: None,
        lambda side: side.write_text(side.read_text().replace(side.stem, "0" * 64)),
    ),
    "side naming another file": (
        lambda _: None,
        lambda side: side.write_text(
            json.dumps(json.loads(side.read_text()) | {"sha256": "../../../../../../etc/passwd"})
        ),
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_row_32_a_damaged_entry_is_set_aside_warned_of_and_kept_anew(tmp_path: Path, damage: str) -> None:
    key = filled(tmp_path).key(request())
    spoil_data, spoil_side = DAMAGES[damage]
    data, side = only(tmp_path, ".data"), only(tmp_path, ".json")
    spoil_data(data)
    spoil_side(side)
    cache = Cache(tmp_path, most_bytes=MIB)
    assert cache.get(key) is None
    (note,) = cache.notes
    assert "moved to" in note
    assert key[:12] in note
    assert not data.exists()
    assert not side.exists()
    assert list((tmp_path / "quarantine").iterdir())
    assert cache.get(key) is None
    assert len(cache.notes) == 1
    cache.put(key, response())
    again = cache.get(key)
    assert again
    assert again.content == response().content
    assert cache.info().quarantined == 1


def test_row_32_every_flipped_bit_and_every_cut_is_noticed(tmp_path: Path) -> None:
    cache = Cache(tmp_path, most_bytes=MIB)
    key, answer = cache.key(request()), response(size=200)
    for place in range(0, 200, 7):
        cache.put(key, answer)
        content = bytearray(answer.content)
        content[place] ^= 1 << (place % 8)
        only(tmp_path, ".data").write_bytes(content)
        assert cache.get(key) is None
        cache.put(key, answer)
        only(tmp_path, ".data").write_bytes(answer.content[:place])
        assert cache.get(key) is None


def test_row_26_another_version_of_an_object_is_noted_with_both_tags(tmp_path: Path) -> None:
    cache = filled(tmp_path)
    cache.put(cache.key(request()), response(7, etag='"two"'))
    (note,) = cache.notes
    assert '"one"' in note
    assert '"two"' in note
    found = cache.get(cache.key(request()))
    assert found
    assert found.content == response(7).content
    assert len(list((tmp_path / "entries").rglob("*.data"))) == 1


KILLER = """
import os, random, signal, sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.test_imagery_cache import response, request
from imagery.cache import Cache

def answer(number):
    return response(number, size=1000 + 400 * number)

def write(first):
    cache = Cache(Path(sys.argv[1]), most_bytes=400_000)
    for number in range(first, 10**9):
        cache.put(cache.key(request(number % 60)), answer(number % 60))
        cache.get(cache.key(request(number * 7 % 60)))

rng, hits, notes = random.Random(5), 0, []
for attempt in range(30):
    children = []
    for which in range(2):
        child = os.fork()
        if not child:
            write(60 * attempt + 13 * which)
        children.append(child)
    time.sleep(rng.uniform(0.0, 0.15))
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    cache = Cache(Path(sys.argv[1]), most_bytes=10**6)
    for number in range(60):
        found = cache.get(cache.key(request(number)))
        hits += found is not None
        assert found is None or found.content == answer(number).content, number
    notes += cache.notes
print(hits)
print(*notes, sep="\\n", file=sys.stderr)
"""


def run_child(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code.format(root=str(ROOT)), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def test_row_31_killed_while_writing_there_is_never_a_bad_hit(tmp_path: Path) -> None:
    """Two writers at a time, in one folder with room for half of what they write, killed without warning."""
    done = run_child(KILLER, tmp_path)
    assert int(done.stdout) > 200
    assert "without its content" not in done.stderr
    assert "altered" not in done.stderr
    assert Cache(tmp_path, most_bytes=MIB).verify().entries > 10


def test_row_31_what_killed_processes_left_goes_in_time(tmp_path: Path) -> None:
    cache = filled(tmp_path)
    left = [tmp_path / "partial" / "abc", tmp_path / "locks" / "old.lock"]
    for path in left:
        path.write_bytes(b"half")
        os.utime(path, (0, 0))
    fresh = tmp_path / "partial" / "being-written"
    fresh.write_bytes(b"half")
    Cache(tmp_path, most_bytes=MIB).put(cache.key(request(1)), response(1))
    assert [path.exists() for path in left] == [False, False]
    assert fresh.exists()


LIMITED = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.test_imagery_cache import response, request
from imagery.cache import Cache
cache = Cache(Path(sys.argv[1]), most_bytes=10**8)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for number in (1, 2, 3):
    cache.put(cache.key(request(number)), response(number, size=30_000))
    assert cache.get(cache.key(request(number))) is None
cache.put(cache.key(request(4)), response(4))
assert cache.get(cache.key(request(4))).content == response(4).content
print(*cache.notes, sep="\\n")
"""


def test_row_31_a_full_disk_is_said_once_and_leaves_nothing_half(tmp_path: Path) -> None:
    cache = filled(tmp_path)
    done = run_child(LIMITED, tmp_path)
    (line,) = done.stdout.splitlines()
    assert "cannot be written (File too large)" in line
    assert list((tmp_path / "partial").iterdir()) == []
    assert cache.get(cache.key(request()))
    assert not Cache(tmp_path, most_bytes=MIB).verify().bad


READ_ONLY = """
import os, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.test_imagery_cache import response, request
from imagery.cache import Cache
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
cache = Cache(Path(sys.argv[1]), most_bytes=10**8)
assert cache.get(cache.key(request(0))).content == response(0).content
assert cache.get(cache.key(request(1))) is None
for number in (1, 2, 3):
    with cache.lock(cache.key(request(number))):
        cache.put(cache.key(request(number)), response(number))
print(*cache.notes, sep="\\n")
"""


def open_to_read(root: Path) -> None:
    """Let everyone read below a folder and above it, and nobody write below it."""
    for path in [root, *root.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)


def test_row_31_a_read_only_folder_serves_what_it_has_and_says_once_that_it_keeps_nothing() -> None:
    # Not below pytest's own folder, which other users may not enter.
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "cache"
        key = filled(root, 2).key(request(1))
        for path in (root / "entries").rglob(f"{key}.*.data"):
            flip(path)
        Path(folder).chmod(0o755)
        open_to_read(root)
        done = run_child(READ_ONLY, root)
        for path in [root, *root.rglob("*")]:
            path.chmod(0o700)
    damaged, closed = done.stdout.splitlines()
    assert "cannot be moved away, and not used" in damaged
    assert "cannot be written (Permission denied)" in closed


def test_row_31_a_file_in_the_place_of_the_folder_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("not a folder")
    cache = Cache(tmp_path / "c", most_bytes=MIB)
    for number in range(3):
        assert cache.get(cache.key(request(number))) is None
        cache.put(cache.key(request(number)), response(number))
    assert all(str(tmp_path / "c") in note for note in cache.notes)
    assert len([note for note in cache.notes if "cannot be written" in note]) == 1


FETCHER = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.test_imagery_cache import response, request
from imagery.cache import Cache
cache = Cache(Path(sys.argv[1]), most_bytes=10**8)
for number in range(12):
    key = cache.key(request(number))
    with cache.lock(key):
        if cache.get(key) is None:
            time.sleep(0.02)
            cache.put(key, response(number))
            print("fetched", number)
"""


def test_row_31_two_processes_fetch_the_same_once(tmp_path: Path) -> None:
    code = FETCHER.format(root=str(ROOT))
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    fetched = [line for child in children for line in child.communicate()[0].splitlines()]
    assert [child.returncode for child in children] == [0, 0, 0]
    assert sorted(fetched) == sorted(f"fetched {number}" for number in range(12))


def test_threads_fetch_the_same_once(tmp_path: Path) -> None:
    cache, fetched = Cache(tmp_path, most_bytes=MIB), []

    def fetch() -> None:
        for number in range(20):
            key = cache.key(request(number))
            with cache.lock(key), cache.lock(key):
                if cache.get(key) is None:
                    fetched.append(number)
                    cache.put(key, response(number))

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(fetched) == list(range(20))
    assert cache.notes == []


def test_an_entry_that_somebody_is_writing_is_not_set_aside(tmp_path: Path) -> None:
    cache = filled(tmp_path)
    key = cache.key(request())
    only(tmp_path, ".json").unlink()
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with cache.lock(key):
            entered.set()
            leave.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait(30)
    assert Cache(tmp_path, most_bytes=MIB).get(key) is None
    assert only(tmp_path, ".data").exists()
    leave.set()
    thread.join()


def test_the_entry_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    cache = filled(tmp_path, 10)
    for number in range(10):
        side = next((tmp_path / "entries").rglob(f"{cache.key(request(number))}.json"))
        os.utime(side, (1000 + number, 1000 + number))
        os.utime(next(side.parent.glob(f"{side.stem}.*.data")), (1000 + number, 1000 + number))
    assert cache.get(cache.key(request(0)))
    small = Cache(tmp_path, most_bytes=40_000)
    small.put(small.key(request(10)), response(10))
    left = [number for number in range(11) if small.get(small.key(request(number)))]
    assert left == [0, 6, 7, 8, 9, 10]
    assert small.info().size_bytes <= 40_000
    assert small.notes == []


def test_quarantine_goes_before_entries(tmp_path: Path) -> None:
    cache = filled(tmp_path, 7)
    truncate(next((tmp_path / "entries").rglob(f"{cache.key(request(3))}.*.data")))
    assert cache.get(cache.key(request(3))) is None
    small = Cache(tmp_path, most_bytes=42_000)
    small.put(small.key(request(8)), response(8))
    assert small.info().quarantined == 0
    assert small.info().entries == 7


def test_many_writings_never_go_far_over_the_cap(tmp_path: Path) -> None:
    cache = Cache(tmp_path, most_bytes=50_000)
    for number in range(100):
        cache.put(cache.key(request(number)), response(number, size=2000))
        assert sum(path.stat().st_size for path in (tmp_path / "entries").rglob("*.*")) <= 53_000
    assert cache.get(cache.key(request(99)))


def test_an_answer_over_the_cap_is_not_kept_and_that_is_said(tmp_path: Path) -> None:
    cache = Cache(tmp_path, most_bytes=4000)
    cache.put(cache.key(request()), response())
    assert cache.get(cache.key(request())) is None
    assert "5,000 bytes" in cache.notes[0]


def test_info_counts_what_is_there(tmp_path: Path) -> None:
    assert Cache(tmp_path / "none", most_bytes=5).info().entries == 0
    info = filled(tmp_path, 3).info()
    on_disk = sum(path.stat().st_size for path in (tmp_path / "entries").rglob("*.*"))
    assert (info.entries, info.size_bytes, info.quarantined) == (3, on_disk, 0)
    assert info.oldest_use
    assert abs(info.oldest_use - time.time()) < 600


def test_verify_finds_all_that_is_damaged_and_sets_it_aside(tmp_path: Path) -> None:
    cache = filled(tmp_path, 6)
    sides = sorted((tmp_path / "entries").rglob("*.json"))
    flip(next(sides[0].parent.glob(f"{sides[0].stem}.*.data")))
    sides[1].unlink()
    sides[2].write_text("{}")
    check = cache.verify()
    assert check.entries == 6
    assert len(check.bad) == 3
    assert cache.verify().bad == ()
    assert cache.info().entries == 3


def test_clear_removes_what_the_cache_made_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    cache = filled(tmp_path, 3)
    assert cache.clear().entries == 3
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    cache.put(cache.key(request()), response())
    assert cache.get(cache.key(request()))


def test_the_content_is_named_by_its_own_sha256(tmp_path: Path) -> None:
    filled(tmp_path)
    data = only(tmp_path, ".data")
    assert data.name.split(".")[1] == hashlib.sha256(data.read_bytes()).hexdigest()
