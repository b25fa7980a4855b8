"""A short form of `benchmarks/soak.py`: random faults and killed processes change nothing that is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import soak
from tests.servers import start


def test_windows_read_through_faults_and_a_cache_of_killed_processes_are_right(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert soak.soak(requests=60, kills=4, seed=2) == []
    told = capsys.readouterr().out.splitlines()
    met = int(told[1].split(" requests, ")[1].split()[0])
    assert met >= 6


def test_a_wrong_pixel_would_be_told(tmp_path: Path) -> None:
    with start("blank") as server:
        soak.serve(server, tmp_path)
        windows = soak.drawn(6, seed=1)
        right = soak.truth(windows, tmp_path)
        assert soak.run(server.url, windows, tmp_path / "run").digests == right
        for which in range(soak.FILES):
            server.put(f"/{which}.tif", (tmp_path / f"{(which + 3) % soak.FILES}.tif").read_bytes())
        wrong = soak.run(server.url, windows, tmp_path / "other").digests
        assert len(soak.differing(windows, wrong, right)) >= 5
