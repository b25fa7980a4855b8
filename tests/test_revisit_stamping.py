"""Time stamps: asked of OpenSSL's own server, judged by OpenSSL, and refused where they are for something else."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from imagery.errors import ImageryError
from imagery.http import Client, Patience
from revisit import der
from revisit.cli.main import call
from revisit.der import DerError
from revisit.errors import UsageError
from revisit.pack import pack_bytes, write_bytes
from revisit.stamping import MOST_BYTES, check_stamp, query, read_stamp, stamp_file
from tests.scenery import Pass, feature, write_area, write_scenes

CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = A time stamp server of a test
[ext]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = tsa1
[tsa1]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""
Answer = Callable[[bytes], bytes]


def openssl(*words: str, folder: Path) -> None:
    """Run openssl, refusing its failures."""
    done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a certificate, its key and the settings of a time stamp server."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine, which plays the server of time stamps")
    folder = tmp_path_factory.mktemp("authority")
    (folder / "tsa.cnf").write_text(CONFIG.format(folder=folder))
    (folder / "serial").write_text("01\n")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.pem", "-days", "2",
            "-config", "tsa.cnf", "-extensions", "ext", folder=folder)  # fmt: skip
    return folder


def reply(authority: Path, asked: bytes) -> bytes:
    """Return what OpenSSL answers to a request."""
    (authority / "asked.tsq").write_bytes(asked)
    openssl("ts", "-reply", "-queryfile", "asked.tsq", "-config", "tsa.cnf", "-section", "tsa1", "-out", "answer.tsr",
            folder=authority)  # fmt: skip
    return (authority / "answer.tsr").read_bytes()


class Serving:
    """A server of time stamps on this machine."""

    def __init__(self, answer: Answer) -> None:
        asked: list[tuple[bytes, str]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                asked.append((body, self.headers["Content-Type"]))
                content = answer(body)
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.asked, self._server = asked, ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/tsr"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serving() -> Iterator[Callable[[Answer], Serving]]:
    started: list[Serving] = []

    def start(answer: Answer) -> Serving:
        started.append(Serving(answer))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    write_bytes(tmp_path / "evidence.zip", pack_bytes({"claims.toml": b"[source]\n"}, about={}))
    return tmp_path / "evidence.zip"


def client() -> Client:
    return Client(patience=Patience(attempts=1, request_s=20.0))


def test_openssl_verifies_what_was_asked_for_and_kept(
    authority: Path, serving: Callable[[Answer], Serving], pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serving(lambda asked: reply(authority, asked))
    with client() as asking:
        found = stamp_file(pack, server.url, send=asking.send)
    assert found.sha256 == hashlib.sha256(pack.read_bytes()).hexdigest()
    assert [kind for _, kind in server.asked] == ["application/timestamp-query"]
    token = pack.with_name("evidence.zip.tsr")
    openssl("ts", "-verify", "-data", str(pack), "-in", str(token), "-CAfile", "tsa.pem", folder=authority)
    assert call(["verify", str(pack)]) == 0
    told = capsys.readouterr().out
    assert f"states {found.moment:%Y-%m-%d %H:%M:%S} UTC" in told
    assert "openssl ts -verify" in told
    token.write_bytes(reply(authority, query(hashlib.sha256(b"another").digest(), 5)))
    assert call(["verify", str(pack)]) == 2
    assert "is a time stamp for another file" in capsys.readouterr().err


def test_a_check_keeps_the_time_stamp_beside_its_pack(
    authority: Path, serving: Callable[[Answer], Serving], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    write_scenes(tmp_path / "s", Pass(day="2024-12-07"), Pass(day="2024-12-12"))
    write_area(tmp_path / "a.geojson", feature("zone", "apron", (20.4, 20.4, 139.6, 139.6), kind="apron", source="x"))
    (tmp_path / "c.toml").write_text(
        '[source]\ntitle = "T"\npublisher = "P"\npublished = 2024-12-14\n[[claim]]\nid = "C1"\nstatement = "S"\n'
        'geometry = "a.geojson#apron"\nkind = "state"\nfrom = 2024-12-08\nto = 2024-12-13\n'
    )
    monkeypatch.setattr("revisit.export.pdf.BROWSERS", ())
    out = tmp_path / "out"
    asked = ["check", str(tmp_path / "c.toml"), "--source", f"folder:{tmp_path / 's'}", "-o", str(out)]
    assert call([*asked, "--timestamp", serving(lambda body: reply(authority, body)).url]) == 0
    assert "its signature was not checked here" in capsys.readouterr().err
    openssl("ts", "-verify", "-data", str(out / "evidence.zip"), "-in", str(out / "evidence.zip.tsr"),
            "-CAfile", "tsa.pem", folder=authority)  # fmt: skip
    assert call(["verify", str(out / "evidence.zip")]) == 0


@pytest.mark.usefixtures("authority")
def test_the_request_is_what_openssl_reads(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"pack").digest()
    (tmp_path / "q.tsq").write_bytes(query(digest, 0x80FF))
    done = subprocess.run(["openssl", "ts", "-query", "-in", "q.tsq", "-text"], cwd=tmp_path, capture_output=True,
                          text=True, timeout=60, check=True)  # fmt: skip
    assert "Hash Algorithm: sha256" in done.stdout
    assert "Nonce: 0x80FF" in done.stdout
    assert "Certificate required: yes" in done.stdout
    assert " ".join(f"{byte:02x}" for byte in digest[:7]) in done.stdout


def test_an_answer_for_another_file_another_request_or_none_is_refused(
    authority: Path, serving: Callable[[Answer], Serving], pack: Path
) -> None:
    digest = hashlib.sha256(pack.read_bytes()).digest()
    refusal = der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, der.integer(2)))
    for answer, message in (
        (lambda _: reply(authority, query(hashlib.sha256(b"x").digest(), 1)), "for another file"),
        (lambda _: reply(authority, query(digest, 1)), "for another request"),
        (lambda _: refusal, r"the server refused \(status 2\)"),
        (lambda _: b"<html>", "no time stamp that can be used"),
        (lambda _: b"x" * (MOST_BYTES + 1), "bytes"),
    ):
        with client() as asking, pytest.raises(ImageryError, match=message):
            stamp_file(pack, serving(answer).url, send=asking.send)
    assert not pack.with_name("evidence.zip.tsr").exists()


def test_plain_http_is_refused_off_this_machine(pack: Path) -> None:
    with client() as asking, pytest.raises(ImageryError, match="only https is"):
        stamp_file(pack, "http://tsa.example.org/tsr", send=asking.send)


def test_cut_and_flipped_answers_end_in_one_kind_of_error(authority: Path) -> None:
    whole = reply(authority, query(hashlib.sha256(b"pack").digest(), 77))
    rng = random.Random(3)
    for size in rng.sample(range(len(whole)), 60):
        with pytest.raises(DerError):
            read_stamp(whole[:size])
    for _ in range(400):
        broken = bytearray(whole)
        broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
        try:
            read_stamp(bytes(broken))
        except DerError:
            continue


@pytest.mark.parametrize(
    "content", [b"", b"\x30\x80\x00\x00", b"\x30\x84\xff\xff\xff\xff", b"\x30\x81\x05" + b"\x05\x00" * 3]
)
def test_what_is_no_der_is_refused(content: bytes) -> None:
    with pytest.raises(DerError):
        read_stamp(content)


def test_numbers_and_lengths_are_written_in_the_shortest_form() -> None:
    assert der.integer(0) == b"\x02\x01\x00"
    assert der.integer(128) == b"\x02\x02\x00\x80"
    assert der.encode(der.OCTET_STRING, b"x" * 200)[:3] == b"\x04\x81\xc8"
    assert der.oid("1.2.840.113549.1.7.2").hex() == "06092a864886f70d010702"


def test_no_token_is_no_stamp_and_foreign_bytes_are_named(pack: Path) -> None:
    assert check_stamp(pack, "0" * 64) is None
    pack.with_name("evidence.zip.tsr").write_bytes(b"hello")
    with pytest.raises(UsageError, match=r"evidence\.zip\.tsr is no time stamp"):
        check_stamp(pack, "0" * 64)
