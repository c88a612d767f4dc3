"""What `mediafleet doctor` looks at where a gateway is installed: its settings, and whom it trusts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from mediafleet_core.doctor import Check, Finding, is_server, ok, read_parts, warning
from mediafleet_core.intake.settings import IntakeSettings
from mediafleet_core.settings import SettingsError, read
from mediafleet_gateway.settings import GatewaySettings


def checks(origin: str) -> Iterator[Check]:
    """All that concerns gateways alone."""
    if is_server():
        yield Check("gateway settings", lambda: read_parts("gateway settings", (GatewaySettings, IntakeSettings)))
        yield Check("token key", _credentials)


async def _credentials() -> AsyncIterator[Finding]:
    try:
        settings = read(GatewaySettings)
    except SettingsError:
        return  # the settings' own check tells
    if settings.token_keys:
        again = ", and with the one before it" if len(settings.token_keys) > 1 else ""
        yield ok("token key", f"callers are known by tokens signed with it{again}")
    else:
        yield warning(
            "token key",
            "none is set: every caller on this machine may do everything, and others cannot reach the gateway",
            "set MEDIAFLEET_TOKEN_KEY to 32 random characters or more",
        )
