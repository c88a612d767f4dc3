"""Every time among the settings: none may be negative, and only where its text says what 0s means may it be that."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mediafleet_core.settings import SettingsError, SettingsPart, read, variables_of
from tools.configuration import PROCESSES, bare

TIMES = [
    (part, variable)
    for part in dict.fromkeys(part for parts in PROCESSES.values() for part in parts)
    for variable, field in variables_of(part).items()
    if bare(field.annotation) is timedelta
]

each_time = pytest.mark.parametrize(("part", "variable"), TIMES, ids=[variable for _, variable in TIMES])


@pytest.fixture(autouse=True)
def complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else is missing."""
    monkeypatch.setenv("MEDIAFLEET_STORAGE", "off")


def refusal(part: type[SettingsPart]) -> str:
    """What is said when the part is read; nothing if it is taken."""
    try:
        read(part)
    except SettingsError as error:
        return str(error)
    return ""


@each_time
def test_no_time_is_refused_unless_it_has_a_meaning(
    part: type[SettingsPart], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refusal(part) == ""
    text = variables_of(part)[variable].description or ""
    monkeypatch.setenv(variable, "0s")
    said = refusal(part)
    if "0s" in text:
        assert said == ""
    else:
        assert said.startswith(f"{variable}: Input should be greater than"), said
        assert said.endswith(text)


@each_time
@pytest.mark.parametrize("span", ["36501d", "P999999999D", "999999999999d", "9" * 400 + "s"])
def test_a_time_that_no_clock_holds_is_refused(
    part: type[SettingsPart], variable: str, span: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, span)
    said = refusal(part)
    assert said.startswith(f"{variable}: ")
    assert span not in said


@each_time
def test_a_negative_time_is_refused(part: type[SettingsPart], variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "-PT1S")
    assert refusal(part).startswith(f"{variable}: Input should be greater than")
