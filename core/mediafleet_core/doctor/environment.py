"""Whether the settings can be read, and whether somebody reads each of them."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from difflib import get_close_matches

from mediafleet_core.doctor.findings import Finding, failed, ok, warning
from mediafleet_core.settings import PREFIX, SettingsError, SettingsPart, read, variables_of

_OF_SERVERS = ("MEDIAFLEET_LEDGER_", "MEDIAFLEET_BROKER_", "MEDIAFLEET_STORAGE", "R2_")
_OF_CLIENTS = frozenset({"MEDIAFLEET_ENDPOINT", "MEDIAFLEET_TOKEN", "MEDIAFLEET_ENDPOINTS_FILE"})
_OF_SERVICES = re.compile(r"_SERVICE_(HOST|PORT)(_\w+)?$|_PORT(_\d+_(TCP|UDP)(_(ADDR|PORT|PROTO))?)?$")
"""Kubernetes tells of each Service by such variables, in every container."""

_CLOSE = 0.85
"""How alike two names are of which one is taken for a slip of the other."""


def is_server() -> bool:
    """Whether this environment is that of a gateway or worker."""
    return any(name.startswith(_OF_SERVERS) for name in os.environ)


async def read_parts(name: str, parts: Sequence[type[SettingsPart]]) -> AsyncIterator[Finding]:
    """One finding for each complaint about these parts, or one for none."""
    complaints = [line for part in parts for line in _complaints(part)]
    for complaint in complaints:
        what, _, remedy = complaint.partition(": ")
        yield failed(name, what, remedy or "docs/guide/configuration.md tells what it may be")
    if not complaints:
        given = sum(variable in os.environ for part in parts for variable in variables_of(part))
        yield ok(name, f"all can be read, {given} of them from the environment")


async def unread() -> AsyncIterator[Finding]:
    """Variables that look like settings, and that nothing installed here reads."""
    known = {variable for part in _every_part(SettingsPart) for variable in variables_of(part)} | _OF_CLIENTS
    unknown = [
        name
        for name in sorted(os.environ)
        if name.startswith((PREFIX, "R2_")) and name not in known and not _OF_SERVICES.search(name)
    ]
    for name in unknown:
        if close := get_close_matches(name, known - os.environ.keys(), n=1, cutoff=_CLOSE):
            yield failed("variables", f"{name} is no setting", f"{close[0]} is meant, probably")
        else:
            yield warning(
                "variables", f"{name} is read by nothing that is installed here", "remove it, if it is a slip"
            )
    if not unknown:
        yield ok("variables", "each variable in the environment is known")


def _complaints(part: type[SettingsPart]) -> Iterator[str]:
    try:
        read(part)
    except SettingsError as error:
        for line in str(error).splitlines():
            variable, _, rest = line.partition(" ")
            # "R2_BUCKET_NAME is missing: set it" and "MEDIAFLEET_X: must be so. Set that" become alike.
            yield f"{variable[:-1]} {rest}".replace(". ", ": ", 1) if variable.endswith(":") else line


def _every_part(part: type[SettingsPart]) -> Iterator[type[SettingsPart]]:
    for each in part.__subclasses__():
        yield each
        yield from _every_part(each)
