"""`revisit cache info`, `verify` and `clear`, as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from imagery.cache import Cache
from revisit.cli.cache import cache_app
from revisit.errors import UsageError
from tests.test_imagery_cache import filled, flip, request, response


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache folder that the environment names."""
    monkeypatch.setenv("REVISIT_CONFIG", "")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("REVISIT_CACHE_DIR", str(tmp_path / "c"))
    monkeypatch.setenv("REVISIT_CACHE_MOST_GIB", "0.5")
    return tmp_path / "c"


def run(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(cache_app, list(arguments), input=answer)


def test_info_of_a_cache_that_was_never_used_makes_nothing(folder: Path) -> None:
    done = run("info")
    assert done.exit_code == 0
    assert f"folder      {folder}" in done.stdout
    assert "answers     0" in done.stdout
    assert not folder.exists()


def test_info_says_what_there_is(folder: Path) -> None:
    filled(folder, 3)
    done = run("info")
    assert "answers     3" in done.stdout
    assert "size        15.7 KiB of at most 512.0 MiB" in done.stdout
    assert "goes next   what was last used on 20" in done.stdout


def test_info_as_json(folder: Path) -> None:
    info = filled(folder, 3).info()
    told = json.loads(run("info", "--json").stdout)
    assert told == {
        "folder": str(folder),
        "answers": 3,
        "size_bytes": info.size_bytes,
        "most_bytes": 1 << 29,
        "quarantined": 0,
        "oldest_use": info.oldest_use,
    }


def test_verify_of_a_good_cache(folder: Path) -> None:
    filled(folder, 3)
    done = run("verify")
    assert done.exit_code == 0
    assert done.stdout == "3 answers read, 0 damaged\n"


def test_verify_names_what_is_damaged_and_fails_once(folder: Path) -> None:
    cache = filled(folder, 3)
    flip(next((folder / "entries").rglob(f"{cache.key(request(1))}.*.data")))
    done = run("verify", "--json")
    assert done.exit_code == 3
    assert f"warning: cache: the answer kept for {request(1).url}" in done.stderr
    told = json.loads(done.stdout)
    assert told["answers"] == 3
    assert len(told["damaged"]) == 1
    assert run("verify").exit_code == 0


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_clear_asks_first(folder: Path, answer: str) -> None:
    filled(folder, 2)
    done = run("clear", answer=answer)
    assert "Remove 2 answers (10.5 KiB)" in done.stderr
    assert isinstance(done.exception, UsageError)
    assert Cache(folder, most_bytes=1 << 20).info().entries == 2


@pytest.mark.parametrize(("option", "answer"), [([], "y\n"), (["--yes"], "")])
def test_clear_removes_all_but_what_is_not_its_own(folder: Path, option: list[str], answer: str) -> None:
    filled(folder, 2)
    (folder / "mine.txt").write_text("keep")
    done = run("clear", *option, answer=answer)
    assert done.exit_code == 0
    assert "removed 2 answers" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_a_folder_that_cannot_be_used_is_one_line(folder: Path) -> None:
    cache = filled(folder, 1)
    (folder / "entries").chmod(0o777)
    done = run("verify")
    assert isinstance(done.exception, UsageError)
    assert "other users may write" in str(done.exception)
    assert cache.get(cache.key(request())) is None


def test_what_was_kept_is_told_with_its_size(folder: Path) -> None:
    cache = Cache(folder, most_bytes=1 << 29)
    cache.put(cache.key(request()), response(size=3 << 20))
    assert "size        3.0 MiB" in run("info").stdout
