"""The words of `--source`."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from aoi.formats import load_area
from imagery.select import day_period
from imagery.sources.folder import FolderSource
from revisit.errors import UsageError
from revisit.sources import NETWORK, Access, open_source


def test_a_folder_is_opened_by_its_path(tmp_path: Path) -> None:
    with open_source(f"folder:{tmp_path}") as opened:
        assert opened.source == FolderSource(tmp_path)
        assert (opened.client, opened.traffic(), opened.notes()) == (None, None, ())


@pytest.mark.parametrize("spec", NETWORK)
def test_a_source_on_the_network_is_asked_nothing_when_it_is_opened(spec: str, tmp_path: Path) -> None:
    told = {"REVISIT_CACHE_DIR": str(tmp_path / "cache"), "REVISIT_CONFIG": ""}
    with open_source(spec, Access(offline=True, environment=told)) as opened:
        assert opened.source.name == spec
        assert opened.traffic() == dict.fromkeys(
            ("requests", "retries", "received_bytes", "answers_from_cache", "processing_units"), 0
        )


@pytest.mark.parametrize("spec", ["folder", "folder:", "FOLDER:x", "https://example.org", ""])
def test_other_words_are_answered_with_those_that_work(spec: str) -> None:
    with pytest.raises(UsageError, match="folder") as told, open_source(spec):
        pass
    assert "does not exist" in str(told.value) or "Give --source auto, " in str(told.value)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "x.tif").write_text("")
    with (
        pytest.raises(UsageError, match="is a file; --source folder:PATH wants the folder"),
        open_source(f"folder:{tmp_path / 'x.tif'}"),
    ):
        pass


def test_the_demo_is_there_as_long_as_it_is_open() -> None:
    with open_source("demo") as opened:
        source = opened.source
        found = source.search(load_area("khmeimim"), [day_period(date(2024, 12, 12), 5)], sensor="s2")
        assert isinstance(source, FolderSource)
        assert source.root.is_dir()
    assert {str(scene.acquired.date()) for scene in found.scenes} >= {"2024-12-07", "2024-12-17"}
    assert all(scene.simulated for scene in found.scenes)
    assert not source.root.exists()
