"""Storage settings: what is derived, and that a wrong one is named with its remedy and without its value."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from mediafleet_core.settings import SettingsError, read
from mediafleet_core.storage import Backend, StorageSettings, read_forgiving
from mediafleet_core.storage.s3_client import make_client

LOCAL = {"MEDIAFLEET_STORAGE_DIR": "/srv/media", "MEDIAFLEET_STORAGE_SIGNING_KEY": "sixteen characters"}
R2 = {
    "R2_ENABLED": "true",
    "R2_ACCOUNT_ID": "0123456789abcdef0123456789abcdef",
    "R2_BUCKET_NAME": "media",
    "R2_ACCESS_KEY_ID": "the-key-id",
    "R2_SECRET_ACCESS_KEY": "the-secret",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Without any storage setting of the caller's."""
    for name in [*LOCAL, *R2, "R2_ENDPOINT_URL", "R2_REGION", "MEDIAFLEET_STORAGE", "MEDIAFLEET_STORAGE_URL"]:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def settings_of(environment: pytest.MonkeyPatch, values: dict[str, str]) -> StorageSettings:
    for name, value in values.items():
        environment.setenv(name, value)
    return read(StorageSettings)


def test_local_by_default(environment: pytest.MonkeyPatch) -> None:
    settings = settings_of(environment, LOCAL)
    assert settings.backend is Backend.LOCAL
    assert settings.public_url == "http://127.0.0.1:8071"


def test_r2_from_its_own_names(environment: pytest.MonkeyPatch) -> None:
    settings = settings_of(environment, R2)
    assert settings.backend is Backend.R2
    assert settings.endpoint_url == "https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com"
    assert settings.r2_region == "auto"
    assert "the-secret" not in repr(settings)


def test_an_endpoint_goes_before_the_account(environment: pytest.MonkeyPatch) -> None:
    settings = settings_of(environment, R2 | {"R2_ENDPOINT_URL": "https://eu.example.net/"})
    assert settings.endpoint_url == "https://eu.example.net"


@pytest.mark.parametrize(
    ("values", "by"),
    [
        ({"R2_ENABLED": "false"}, "R2_ENABLED=false"),
        (R2 | {"R2_ENABLED": "false"}, "R2_ENABLED=false"),
        (R2 | {"MEDIAFLEET_STORAGE": "r2", "R2_ENABLED": "false"}, "R2_ENABLED=false"),
        (LOCAL | {"MEDIAFLEET_STORAGE": "off"}, "MEDIAFLEET_STORAGE=off"),
    ],
)
def test_storage_can_be_switched_off(environment: pytest.MonkeyPatch, values: dict[str, str], by: str) -> None:
    settings = settings_of(environment, values)
    assert (settings.backend, settings.off_by) == (Backend.OFF, by)


def test_without_r2_a_folder_is_still_one(environment: pytest.MonkeyPatch) -> None:
    assert settings_of(environment, LOCAL | {"R2_ENABLED": "false"}).backend is Backend.LOCAL


def test_what_is_wrong_may_be_told_later(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("R2_ACCOUNT_ID", "my account")
    settings = read_forgiving()
    assert settings.backend is Backend.OFF
    assert settings.problem.startswith("R2_ACCOUNT_ID")


@pytest.mark.parametrize(
    ("values", "variable"),
    [
        ({}, "MEDIAFLEET_STORAGE_DIR"),
        ({"MEDIAFLEET_STORAGE_DIR": "/srv/media"}, "MEDIAFLEET_STORAGE_SIGNING_KEY"),
        (LOCAL | {"MEDIAFLEET_STORAGE_SIGNING_KEY": "short"}, "MEDIAFLEET_STORAGE_SIGNING_KEY"),
        (LOCAL | {"MEDIAFLEET_STORAGE": "ftp"}, "MEDIAFLEET_STORAGE"),
        (LOCAL | {"MEDIAFLEET_STORAGE_URL": "files.example.net"}, "MEDIAFLEET_STORAGE_URL"),
        (LOCAL | {"MEDIAFLEET_STORAGE": "local", "R2_ENABLED": "true"}, "R2_ENABLED"),
        (R2 | {"R2_ACCOUNT_ID": ""}, "R2_ACCOUNT_ID"),
        (R2 | {"R2_ACCOUNT_ID": "my account"}, "R2_ACCOUNT_ID"),
        (R2 | {"R2_BUCKET_NAME": ""}, "R2_BUCKET_NAME"),
        (R2 | {"R2_ACCESS_KEY_ID": ""}, "R2_ACCESS_KEY_ID"),
        (R2 | {"R2_SECRET_ACCESS_KEY": ""}, "R2_SECRET_ACCESS_KEY"),
        (R2 | {"R2_ENDPOINT_URL": "https://example.net/media"}, "R2_ENDPOINT_URL"),
        (R2 | {"R2_ENDPOINT_URL": "http://example.net"}, "R2_ENDPOINT_URL"),
        (R2 | {"MEDIAFLEET_STORAGE": "s3", "R2_ACCOUNT_ID": ""}, "R2_ENDPOINT_URL"),
    ],
)
def test_a_wrong_setting_is_named(environment: pytest.MonkeyPatch, values: dict[str, str], variable: str) -> None:
    with pytest.raises(SettingsError) as raised:
        settings_of(environment, values)
    assert str(raised.value).startswith(variable)
    for secret in ("the-secret", "sixteen characters", "short", "my account"):
        assert secret not in str(raised.value)


@pytest.mark.parametrize("region", ["auto", "us-east-1", "eu-central-1", "anywhere"])
def test_a_client_is_made_for_any_region(region: str) -> None:
    settings = StorageSettings(
        storage=Backend.S3,
        r2_endpoint_url="https://127.0.0.1:1",
        r2_bucket_name="media",
        r2_access_key_id="id",
        r2_secret_access_key=SecretStr("secret"),
        r2_region=region,
    )
    client = make_client(settings)
    assert (client.meta.region_name, client.meta.endpoint_url) == (region, "https://127.0.0.1:1")
