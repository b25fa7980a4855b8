"""Settings: where each value comes from, what is refused, and that secrets stay unseen."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from pathlib import Path

import pytest

from imagery.credentials import DEPLOYMENTS, Credentials, Secret, where_from
from revisit.errors import UsageError
from revisit.settings import SETTINGS, Settings, load_settings

CANARY = "c4n4ry-S3CRET!"
CLIENT = {"SH_CLIENT_ID": "sh-canary-id", "SH_CLIENT_SECRET": CANARY}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "my config.toml"
    path.touch(mode=0o600)
    return path


def load(config: Path, text: str = "", **environment: str) -> Settings:
    config.write_text(text)
    return load_settings({"REVISIT_CONFIG": str(config), **environment})


def test_without_anything_set_the_public_addresses_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    settings = load_settings({})
    assert settings.earth_search_url == "https://earth-search.aws.element84.com/v1"
    assert settings.sentinel_hub == DEPLOYMENTS["cdse"]
    assert settings.credentials is None
    assert settings.cache_folder.is_absolute()
    assert settings.cache_most_bytes == 20 * 2**30
    assert set(settings.origins.values()) == {"default"}
    assert settings.config_file is None


def test_the_users_own_folder_of_configurations_is_looked_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "revisit" / "config.toml"
    path.parent.mkdir()
    path.write_text('[cdse]\nstac_url = "https://stac.example.org/v1/"\n')
    settings = load_settings({})
    assert settings.cdse_stac_url == "https://stac.example.org/v1"
    assert settings.config_file == path
    assert settings.origins["cdse.stac_url"] == str(path)


def test_the_environment_wins_over_the_file_and_the_first_variable_over_the_second(config: Path) -> None:
    text = '[planetary_computer]\nurl = "https://file.example.org"\nsas_url = "https://file.example.org/sas"\n'
    names = {"REVISIT_PLANETARY_COMPUTER_SAS_URL": "http://127.0.0.1:81/a", "PC_SDK_SAS_URL": "http://127.0.0.1:82/b"}
    settings = load(config, text, **names)
    assert settings.planetary_computer_url == "https://file.example.org"
    assert settings.planetary_computer_sas_url == "http://127.0.0.1:81/a"
    assert settings.origins["planetary_computer.sas_url"] == "the variable REVISIT_PLANETARY_COMPUTER_SAS_URL"
    del names["REVISIT_PLANETARY_COMPUTER_SAS_URL"]
    assert load(config, text, **names).planetary_computer_sas_url == "http://127.0.0.1:82/b"


def test_an_empty_variable_counts_as_not_set(config: Path) -> None:
    assert load(config, REVISIT_CDSE_STAC_URL="").origins["cdse.stac_url"] == "default"


def test_credentials_come_from_a_file_that_is_closed_to_others(config: Path) -> None:
    settings = load(config, f'[sentinel_hub]\nclient_id = "sh-x"\nclient_secret = "{CANARY}"\n')
    assert settings.credentials is not None
    assert settings.credentials.client_id.reveal() == "sh-x"
    assert settings.credentials.client_secret.reveal() == CANARY


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o602])
def test_a_file_with_secrets_that_others_can_open_is_refused_with_the_command_to_type(config: Path, mode: int) -> None:
    config.chmod(mode)
    with pytest.raises(UsageError) as caught:
        load(config, f'[sentinel_hub]\nclient_id = "sh-x"\nclient_secret = "{CANARY}"\n')
    assert f"chmod 600 '{config}'" in str(caught.value)
    assert f"mode {mode:o}" in str(caught.value)
    assert CANARY not in str(caught.value)


def test_a_file_without_secrets_may_be_open(config: Path) -> None:
    config.chmod(0o644)
    assert load(config, "[cache]\nmost_gib = 3\n").cache_most_bytes == 3 * 2**30


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[cache]\nfolder = 'x'\nsize = 3\n", ["line 3", "'size'", "folder, most_gib"]),
        ("[sentinelhub]\nclient_id = 'x'\n", ["line 1", "'sentinelhub'", "[sentinel_hub]"]),
        ("# first\nurl = 'https://x.org'\n", ["line 2", "'url'"]),
        ("[cache]\nmost_gib = true\n", ["line 2", "cache.most_gib"]),
        ("[cache]\nmost_gib = -1\n", ["'-1'", "over 0"]),
        ("[cache]\nmost_gib = nan\n", ["'nan'"]),
        ("[cdse]\nstac_url = 7\n", ["line 2", "cdse.stac_url", "text in quotes"]),
        (f'[sentinel_hub]\nclient_secret = "{CANARY}\n', ["no TOML", "line 2"]),
        ("[sentinel_hub]\ndeployment = 'planet'\n", ["'planet'", "cdse, sentinel-hub"]),
        (f"[sentinel_hub]\nclient_secret = '{CANARY}'\n", ["client_id is missing", "SH_CLIENT_ID"]),
        ("[sentinel_hub]\nurl = 'https://own.example.org'\n", ["token_url", "REVISIT_SENTINEL_HUB_TOKEN_URL"]),
        (f"[cdse]\nstac_url = 'https://me:{CANARY}@example.org'\n", ["user name or password"]),
        ("[cdse]\nstac_url = 'http://example.org/v1'\n", ["http://example.org/v1", "https://"]),
        ("[cdse]\nstac_url = 'ftp://example.org'\n", ["https://"]),
        ("[cdse]\nstac_url = 'https://'\n", ["https://example.org/v1"]),
        ("[cdse]\nstac_url = 'https://example.org:99999/'\n", ["no address"]),
        (f"[cdse]\nstac_url = 'https://example.org/?key={CANARY}'\n", ["cdse.stac_url"]),
    ],
)
def test_what_makes_no_sense_is_refused_by_name_and_place(config: Path, text: str, words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        load(config, text)
    assert [word for word in words if word not in str(caught.value)] == []
    assert CANARY not in str(caught.value)


def test_a_named_config_file_that_is_not_there_is_no_silent_default(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"REVISIT_CONFIG names .*none\.toml"):
        load_settings({"REVISIT_CONFIG": str(tmp_path / "none.toml")})


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({}, "cdse"),
        ({"REVISIT_SENTINEL_HUB_DEPLOYMENT": "sentinel-hub"}, "sentinel-hub"),
        ({"SH_BASE_URL": "https://services.sentinel-hub.com/"}, "sentinel-hub"),
        ({"SH_BASE_URL": "https://sh.dataspace.copernicus.eu"}, "cdse"),
    ],
)
def test_base_and_token_address_are_of_one_provider(config: Path, environment: dict[str, str], name: str) -> None:
    assert load(config, **environment).sentinel_hub == DEPLOYMENTS[name]


@pytest.mark.parametrize(
    "environment",
    [
        {"SH_TOKEN_URL": DEPLOYMENTS["sentinel-hub"].token_url},
        {"REVISIT_SENTINEL_HUB_DEPLOYMENT": "cdse", "SH_BASE_URL": "https://services.sentinel-hub.com"},
    ],
)
def test_addresses_of_two_providers_are_not_mixed_by_leaving_one_out(config: Path, environment: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="so that credentials go where they belong"):
        load(config, **environment)


def test_own_addresses_are_taken_together(config: Path) -> None:
    settings = load(config, SH_BASE_URL="http://127.0.0.1:8080/", SH_TOKEN_URL="https://127.0.0.1:8443/token")
    assert settings.sentinel_hub.url == "http://127.0.0.1:8080"
    assert settings.sentinel_hub.token_url == "https://127.0.0.1:8443/token"
    assert settings.sentinel_hub.name == "own"


def test_no_dump_of_the_settings_shows_a_secret(config: Path) -> None:
    settings = load(config, **CLIENT)
    shown = [
        repr(settings), str(settings), f"{settings}", f"{settings.credentials!s:>20}", repr(vars(settings)),
        repr(dataclasses.asdict(settings)), json.dumps(dataclasses.asdict(settings), default=str),
        json.dumps(dataclasses.asdict(settings), default=repr), repr(copy.deepcopy(settings)),
    ]  # fmt: skip
    assert [text for text in shown if CANARY in text or "sh-canary-id" in text] == []


def test_a_secret_can_be_revealed_but_not_pickled() -> None:
    secret = Secret(CANARY)
    assert copy.deepcopy(secret).reveal() == CANARY
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(Credentials(client_id=secret, client_secret=secret), protocol)
    assert not hasattr(secret, "__dict__")


def test_every_setting_can_be_given_in_the_environment() -> None:
    names = [name for setting in SETTINGS.values() for name in setting.variables]
    assert len(names) == len(set(names))
    assert all(setting.variables for setting in SETTINGS.values())


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_the_hint_names_the_deployment_and_the_other_one(name: str) -> None:
    hint = where_from(DEPLOYMENTS[name])
    assert "SH_CLIENT_SECRET" in hint
    assert all(one.title in hint for one in DEPLOYMENTS.values())
