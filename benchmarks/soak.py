"""Many requests to a server that fails at random, and processes killed in the middle of their work.

    python benchmarks/soak.py [REQUESTS] [KILLS] [SEED]

Windows of remote rasters are read until a fault-free run has made REQUESTS requests (default 500). The same windows
are then read while 20 % of all answers are faults; every one must have the same pixels, or fail with a `SourceError`
and be right when it is asked for again. Then processes that fetch 50 windows into one cache are killed at random
moments, KILLS times in all (default 20), and whatever the cache gives out must be what the server holds. Ends with
status 1 otherwise.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - the repository must be on the path first

from aoi import Grid  # noqa: E402
from imagery.cache import Cache  # noqa: E402
from imagery.errors import SourceError  # noqa: E402
from imagery.exchange import MIB, Hosts, Request  # noqa: E402
from imagery.geotiff import read_on_grid  # noqa: E402
from imagery.http import Client, Patience  # noqa: E402
from imagery.remote import window  # noqa: E402
from tests.clocks import FastClock  # noqa: E402
from tests.rasters import grid, numbers, write_raster  # noqa: E402
from tests.servers import Fault, Server, start  # noqa: E402

FILES = 8
SHARE = 0.2
FAULTS = (
    Fault(status=500, body=b"sorry"),
    Fault(status=502),
    Fault(status=503, headers={"Retry-After": "1"}),
    Fault(status=503, body=b"<Error><Code>ServerBusy</Code></Error>"),
    Fault(status=429, headers={"Retry-After": "2"}),
    Fault(status=200, headers={"Content-Type": "text/html"}, body=b"<html>log in</html>"),
    Fault(status=206, body=b"II*\0"),
    Fault(reset=True),
    Fault(reset=True, cut_after=500),
    Fault(cut_after=700),
    Fault(alter=True, headers={"Content-Range": "bytes 0-9/10"}),
    Fault(alter=True, headers={"ETag": '"another"'}),
    Fault(delay_s=0.01),
)
"""What 20 % of the answers are."""
ROOM = 4 * MIB
"""Of the cache of the processes that are killed: too little for all that they fetch, so that entries also go."""
ATTEMPTS = 10
"""How often a person would run a command again before giving up; a whole file takes the place of ranges at times."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """One window of one file."""

    path: str
    where: Grid


@dataclass(kw_only=True)
class Outcome:
    """What a run brought."""

    digests: list[str]
    """Sha256 of the pixels of each window, in order."""
    requests: int = 0
    retries: int = 0
    failed: int = 0
    """Windows that failed with a `SourceError` and had to be asked for again."""


def serve(server: Server, folder: Path) -> None:
    """Put files of several layouts on a server."""
    for which in range(FILES):
        block = 32 << which % 3
        layout = {"tiled": True, "blockxsize": block, "blockysize": block} if which % 4 else {"blockysize": 5}
        source = write_raster(
            folder / f"{which}.tif",
            numbers(1000, 1000, which),
            compress=("none", "deflate", "lzw")[which % 3],
            bigtiff="YES" if which % 2 else "NO",
            **layout,
        )
        server.put(f"/{which}.tif", source.read_bytes(), "image/tiff")


def draw(rng: np.random.Generator) -> Window:
    """Return a window anywhere on one of the files."""
    width, height = (int(size) for size in rng.integers(1, 120, 2))
    cols, rows = (int(place) for place in rng.integers(-20, 980, 2))
    where = grid(cols=cols, rows=rows, width=width, height=height)
    return Window(path=f"/{rng.integers(FILES)}.tif", where=where)


def drawn(count: int, seed: int) -> list[Window]:
    """Return `count` windows, the same for the same seed."""
    rng = np.random.default_rng(seed)
    return [draw(rng) for _ in range(count)]


def ask(url: str, one: Window) -> Request:
    """Return the request for the file of a window."""
    return Request(url=url + one.path, hosts=Hosts(suffixes=(), configured=(url,)))


def read(client: Client, url: str, one: Window, folder: Path) -> str:
    """Return the sha256 of the pixels of a window."""
    copy = window(client, ask(url, one), one.where, folder=folder)
    pixels, valid = read_on_grid(copy, one.where)
    copy.unlink(missing_ok=True)
    return hashlib.sha256(pixels.tobytes() + valid.tobytes()).hexdigest()


def client_of(cache: Cache) -> Client:
    """Return a client that waits no true time between requests; each is a run of its own."""
    return Client(cache=cache, patience=Patience(requests_per_s=10_000), clock=FastClock())


def run(url: str, windows: Sequence[Window], folder: Path) -> Outcome:
    """Read windows through one cache, four at a time."""
    cache, outcome = Cache(folder / "cache", most_bytes=1000 * MIB), Outcome(digests=[])

    def settle(number: int) -> str:
        # A folder of its own: two windows may be the same.
        place = folder / str(number)
        for _ in range(ATTEMPTS):
            with client_of(cache) as client:
                try:
                    return read(client, url, windows[number], place)
                except SourceError:
                    outcome.failed += 1
                finally:
                    outcome.requests += client.traffic.requests
                    outcome.retries += client.traffic.retries
        raise SystemExit(f"window {number} failed {ATTEMPTS} times")

    with ThreadPoolExecutor(max_workers=4) as pool:
        outcome.digests = list(pool.map(settle, range(len(windows))))
    return outcome


def enough(url: str, requests: int, seed: int, folder: Path) -> tuple[list[Window], Outcome]:
    """Return windows that take at least so many requests without faults, and what they brought."""
    count, rounds = max(requests // 3, 1), 0
    while True:
        windows = drawn(count, seed)
        outcome = run(url, windows, folder / f"calm-{rounds}")
        if outcome.requests >= requests:
            return windows, outcome
        count, rounds = count + max((requests - outcome.requests) // 2, 1), rounds + 1


def truth(windows: Sequence[Window], files: Path) -> list[str]:
    """Return the sha256 of the pixels of each window, read from the files themselves."""
    digests = []
    for one in windows:
        pixels, valid = read_on_grid(files / one.path.strip("/"), one.where)
        digests.append(hashlib.sha256(pixels.tobytes() + valid.tobytes()).hexdigest())
    return digests


def fetch_for_ever(url: str, root: Path, seed: int, begun: Event) -> None:
    """Be the process that is killed: fetch windows into a cache, again and again."""
    windows = drawn(50, seed)
    begun.set()
    while True:
        for one in windows:
            with tempfile.TemporaryDirectory() as folder, client_of(Cache(root, most_bytes=ROOM)) as client:
                read(client, url, one, Path(folder))


def kill_at_random(url: str, root: Path, kills: int, rng: np.random.Generator) -> None:
    """Start pairs of processes that fetch into one cache and kill each at a random moment."""
    context = multiprocessing.get_context("spawn")
    for attempt in range((kills + 1) // 2):
        events = [context.Event(), context.Event()]
        children = [
            context.Process(target=fetch_for_ever, args=(url, root, attempt + which, begun), daemon=True)
            for which, begun in enumerate(events)
        ]
        for child in children:
            child.start()
        for child, begun in zip(children, events, strict=True):
            begun.wait(60)
            time.sleep(rng.uniform(0.0, 0.4))
            child.kill()
            child.join()


def wrong_hits(url: str, root: Path, files: Path, seeds: range) -> Iterator[str]:
    """Yield every window that is not right when it is read through a cache that killed processes left."""
    hits = 0
    for seed in seeds:
        windows = drawn(50, seed)
        for one, right in zip(windows, truth(windows, files), strict=True):
            with tempfile.TemporaryDirectory() as folder, client_of(Cache(root, most_bytes=ROOM)) as client:
                if read(client, url, one, Path(folder)) != right:
                    yield f"{one}: wrong after kills"
                hits += client.traffic.from_cache
    print(f"{hits} hits of the cache that they left")


def soak(*, requests: int, kills: int, seed: int) -> list[str]:
    """Do all of it and return what was wrong, one line each.

    Parameters
    ----------
    requests
        That the fault-free run makes at least.
    kills
        Processes to be killed.
    seed
        Of windows, faults and moments.
    """
    with tempfile.TemporaryDirectory() as name, start("blank") as server:
        files, wrong = Path(name), list[str]()
        serve(server, files)
        windows, calm = enough(server.url, requests, seed, files / "runs")
        server.reset()
        server.fault("*", list(FAULTS), share=SHARE, seed=seed)
        rough = run(server.url, windows, files / "rough")
        met = sum(entry.fault for entry in server.log())
        server.reset()
        print(f"without faults: {calm.requests} requests for {len(windows)} windows")
        print(
            f"with faults:    {rough.requests} requests, {met} of them faults, {rough.retries} retries,"
            f" {rough.failed} windows that had to be asked for again"
        )
        wrong += [f"{one}: wrong without faults" for one in differing(windows, calm.digests, truth(windows, files))]
        wrong += [f"{one}: another one with faults" for one in differing(windows, rough.digests, calm.digests)]
        kill_at_random(server.url, files / "shared", kills, np.random.default_rng(seed))
        check = Cache(files / "shared", most_bytes=ROOM).verify()
        print(f"after {kills} kills: {check.entries} entries, {len(check.bad)} of them without their other half")
        wrong += wrong_hits(server.url, files / "shared", files, range(2 if kills else 0))
        return wrong


def differing(windows: Sequence[Window], some: Sequence[str], others: Sequence[str]) -> list[Window]:
    """Return the windows whose pixels differ between two runs."""
    same = np.array(some) == np.array(others)
    return [one for one, equal in zip(windows, same, strict=True) if not equal]


def main(requests: str = "500", kills: str = "20", seed: str = "1") -> None:
    """Print figures, and what is wrong."""
    began = time.perf_counter()
    wrong = soak(requests=int(requests), kills=int(kills), seed=int(seed))
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{len(wrong)} wrong, {time.perf_counter() - began:.0f} s")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
