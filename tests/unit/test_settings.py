"""How settings are read from the environment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mediafleet_core.settings import SettingsError, SettingsPart, read


class Patience(SettingsPart):
    patience: timedelta = timedelta(0)


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
