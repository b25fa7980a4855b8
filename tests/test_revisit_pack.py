"""Evidence packs: the same bytes for the same evidence, and no bit that can be changed unseen."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from revisit.errors import UsageError
from revisit.pack import pack_bytes, read_members, verify_pack, write_bytes, write_pack

CONTENTS = {"claims.toml": b"[source]\n", "runs/a/run.json": b"{}\n", "runs/a/change.tif": bytes(range(200))}
ABOUT = {"command": "revisit check syria-2024-12"}


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    write_bytes(tmp_path / "evidence.zip", pack_bytes(CONTENTS, about=ABOUT))
    return tmp_path / "evidence.zip"


def test_a_pack_holds_what_went_in_and_says_so(pack: Path) -> None:
    members = read_members(pack)
    assert {name: members[name] for name in CONTENTS} == CONTENTS
    assert verify_pack(pack).manifest["command"] == ABOUT["command"]


def test_the_same_folder_gives_the_same_bytes_wherever_it_lies(tmp_path: Path) -> None:
    digests = []
    for place in ("one", "two"):
        for name, content in CONTENTS.items():
            (tmp_path / place / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / place / name).write_bytes(content)
        digests.append(write_pack(tmp_path / place, tmp_path / f"{place}.zip", about=ABOUT))
    assert digests[0] == digests[1] == verify_pack(tmp_path / "two.zip").sha256


def test_every_flipped_bit_is_found(pack: Path) -> None:
    content = bytearray(pack.read_bytes())
    rng = np.random.default_rng(5)
    # Every byte: of members, of their headers, of the directory at the end and of what ends that.
    for at in range(len(content)):
        bit = 1 << int(rng.integers(8))
        content[at] ^= bit
        pack.write_bytes(content)
        with pytest.raises(UsageError, match=r"recorded|damaged|no evidence pack|holds more|schema"):
            verify_pack(pack)
        content[at] ^= bit


def test_bytes_between_and_after_the_members_are_found(pack: Path) -> None:
    whole, rng = pack.read_bytes(), np.random.default_rng(6)
    end = whole.rindex(b"PK\x05\x06")
    comment = bytearray(whole + b"hello")
    comment[end + 20 : end + 22] = (5).to_bytes(2, "little")
    places = rng.integers(1, len(whole), 40).tolist()
    for content in (bytes(comment), *(whole[:at] + bytes([rng.integers(256)]) + whole[at:] for at in places)):
        pack.write_bytes(content)
        with pytest.raises(UsageError):
            verify_pack(pack)


def test_cut_grown_and_foreign_files_are_refused(pack: Path, tmp_path: Path) -> None:
    whole = pack.read_bytes()
    for content in (whole[:-1], whole + b"x", b"x" + whole, b"", b"PK"):
        pack.write_bytes(content)
        with pytest.raises(UsageError):
            verify_pack(pack)
    with zipfile.ZipFile(pack, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../outside", b"x" * 1000)
    with pytest.raises(UsageError, match="is no evidence pack"):
        verify_pack(pack)
    with pytest.raises(UsageError, match="cannot be read"):
        verify_pack(tmp_path / "nowhere.zip")


def test_members_that_were_added_removed_or_exchanged_are_named(pack: Path) -> None:
    members = read_members(pack)
    for change, message in (
        ({"extra.txt": b"x"}, "extra.txt is not listed"),
        ({"claims.toml": b"[sourcf]\n"}, "claims.toml is not as it was recorded"),
        ({"claims.toml": None}, "claims.toml is listed and missing"),
        ({"manifest.sha256": None}, "is missing"),
    ):
        changed = {name: content for name, content in {**members, **change}.items() if content is not None}
        with zipfile.ZipFile(pack, "w") as archive:
            for name, content in changed.items():
                archive.writestr(name, content)
        with pytest.raises(UsageError, match=message):
            verify_pack(pack)


def test_a_link_does_not_go_into_a_pack(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.txt").symlink_to("/etc/hostname")
    with pytest.raises(UsageError, match=r"link\.txt cannot go into a pack"):
        write_pack(tmp_path / "in", tmp_path / "out.zip", about={})
