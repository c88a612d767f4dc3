"""How settings are read from the environment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mediafleet_core.settings import RedisUrl, SettingsError, SettingsPart, read


class Patience(SettingsPart):
    patience: timedelta = timedelta(0)


class Place(SettingsPart):
    place: RedisUrl = ""


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("10s", timedelta(seconds=10)),
        ("500 ms", timedelta(seconds=0.5)),
        ("1.5h", timedelta(minutes=90)),
        ("7d", timedelta(days=7)),
        ("PT5M", timedelta(minutes=5)),
        ("0:00:03", timedelta(seconds=3)),
    ],
)
def test_spans_of_time_may_be_written_shortly(monkeypatch: pytest.MonkeyPatch, text: str, span: timedelta) -> None:
    monkeypatch.setenv("MEDIAFLEET_PATIENCE", text)
    assert read(Patience).patience == span


def test_a_span_that_is_none_is_told_what_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIAFLEET_PATIENCE", "soon")
    with pytest.raises(SettingsError, match="MEDIAFLEET_PATIENCE: must be a time such as 500ms, 10s, 5m, 6h or 7d"):
        read(Patience)


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/0",
        "rediss://u:a%2Fb@host/1?socket_timeout=3",
        "redis://:p@[::1]:1",
        "unix:///run/r.sock",
    ],
)
def test_a_redis_is_named_by_its_url(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("MEDIAFLEET_PLACE", url)
    assert read(Place).place == url


@pytest.mark.parametrize(
    "url",
    [
        "redis://u:hunter2/x@host/0",
        "redis://u:12/hunter2@host",
        "redis://u:12#hunter2@host",
        "host:6379",
        "redis://h:x",
    ],
)
def test_what_is_no_url_of_a_redis_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("MEDIAFLEET_PLACE", url)
    with pytest.raises(SettingsError, match="MEDIAFLEET_PLACE: must be redis://USER") as refusal:
        read(Place)
    assert "hunter2" not in str(refusal.value)
