"""No secret gets through, and what is none stays readable."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagery.redact import HIDDEN, one_line, quiet_loggers, redact

SECRET = "cAnary-7f3a9c"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJhenAiOiJzaC1jYW5hcnkifQ.c2lnbmF0dXJl"

FORMS = [
    f"Authorization: Bearer {SECRET}",
    f"authorization: Basic {SECRET}==",
    f"{{'Authorization': 'Bearer {SECRET}', 'Accept': '*/*'}}",
    f'-H "Authorization: Bearer {SECRET}"',
    f"grant_type=client_credentials&client_id=sh-x&client_secret={SECRET}",
    f"SH_CLIENT_SECRET={SECRET}",
    f"client_secret: {SECRET}",
    f"client_secret = '{SECRET}'".replace(" = ", "="),
    f'{{"access_token":"{SECRET}","expires_in":600}}',
    f'{{"access_token" : "{SECRET}"}}',
    f'body: "{{\\"access_token\\": \\"{SECRET}\\"}}"',
    f"https://account.blob.core.windows.net/c/a.tif?st=2024&se={SECRET}&sp=rl",
    f"https://account.blob.core.windows.net/c/a.tif?skoid={SECRET}",
    f"/c/a.tif?sv=2021-06-08&sig={SECRET}%2B%3D (Caused by ...)",
    f"/c/a.tif?SIG={SECRET}",
    f"https://x/sign?href=https%3A%2F%2Fy%2Fa.tif%3Fsig%3D{SECRET}%26sv%3D1",
    f"https://me:{SECRET}@example.org/a",
    f"http://{SECRET}@proxy.example.org:3128",
    f"https://example.org/a?token={SECRET}#part",
    f"https://b.s3.amazonaws.com/a?X-Amz-Signature={SECRET}&X-Amz-Credential={SECRET}",
    f"Set-Cookie: session={SECRET}; Path=/",
    f"got {JWT[:20]}{SECRET}.{SECRET}.{SECRET} back",
]


@pytest.mark.parametrize("text", FORMS)
def test_secrets_are_taken_out(text: str) -> None:
    assert SECRET in text
    assert SECRET not in redact(text)
    assert HIDDEN in redact(text)
    assert SECRET not in one_line(f"before\n{text}\nafter", most=5000)


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/v1/search?limit=100&collections=sentinel-2-l2a",
        "phase=3 false=1 base=2 house=4 rest=5",
        "S2A_36SYE_20240108_0_L2A: 503 after 5 attempts",
        '{"code":"RENDERER_EXCEPTION","message":"CUSTOM has no band SMA"}',
        "a basic need",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


PIECES = st.sampled_from(
    [*FORMS, "sig", "=", "%3D", "&", "token", ":", " ", '"', "'", "\\", "Bearer", "//", "@", "***"]
)


@given(st.lists(PIECES | st.text(max_size=5), max_size=8).map("".join))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=400), st.integers(10, 80))
def test_one_line_is_one_short_printable_line(text: str, most: int) -> None:
    line = one_line(text, most=most)
    assert len(line) <= most
    assert line.isprintable()


def test_loggers_of_the_libraries_say_little_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    quiet_loggers()
    quiet_loggers()
    with caplog.at_level(logging.DEBUG):
        for name in ("urllib3.connectionpool", "requests_oauthlib.oauth2_session", "oauthlib.oauth2", "sentinelhub.x"):
            logging.getLogger(name).info("body: client_secret=%s", SECRET)
        logging.getLogger("urllib3.connection").warning("Failed to parse headers (url=%s)", f"https://x/?sig={SECRET}")
    assert [record.name for record in caplog.records] == ["urllib3.connection"]
    assert SECRET not in caplog.text
