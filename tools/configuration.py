"""Writes docs/guide/configuration.md from the settings' code; with --check it fails instead where the page is stale."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from enum import Enum
from importlib.metadata import entry_points
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import annotated_types
import click
import msgspec
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mediafleet_core.quotas import Limits
from mediafleet_core.settings import SettingsPart, variables_of
from mediafleet_core.storage import StorageSettings
from mediafleet_gateway.bootstrap import Settings as GatewayProcess
from mediafleet_workers.bootstrap import Settings as WorkerProcess
from tools.made import write_or_check

PAGE = Path(__file__).parents[1] / "docs/guide/configuration.md"
PROCESSES: Mapping[str, Sequence[type[SettingsPart]]] = {
    "gateway": tuple(get_type_hints(GatewayProcess).values()),
    "worker": tuple(get_type_hints(WorkerProcess).values()),
    "file server": (StorageSettings,),
}
BYTES = ("_bytes", "job_memory", "job_file_size")
SET_BY_OURSELVES = frozenset({"MEDIAFLEET_GATEWAY_TETHER"})

HEAD = """\
# Configuration

Every setting, by the environment variable that it is read from, made from the code by `make docs`. A process reads its
settings once, when it starts, and refuses to start with a line for each that is missing or wrong (a gateway in
development starts without a storage, and says so). `mediafleet doctor` names those that nobody reads.

- **time**: `500ms`, `10s`, `5m`, `6h`, `7d`, or as ISO 8601 has it; at most `36500d`. **bytes**: a number. **secret**:
  shown nowhere.
- The gateway reads what says "gateway", and so on. All processes of one mediafleet need the same ledger, broker and
  storage.
- With R2, [the guide](r2.md) tells where each value is found.
"""


def main(arguments: Sequence[str]) -> int:
    """The exit status."""
    return write_or_check({PAGE: page()}, "run make docs", arguments)


def page() -> str:
    """The whole page."""
    readers: dict[type[SettingsPart], list[str]] = {}
    for process, parts in PROCESSES.items():
        for part in parts:
            readers.setdefault(part, []).append(process)
    shared = sorted(readers.items(), key=lambda each: -len(each[1]))
    sections = [HEAD, *(section(part, processes) for part, processes in shared), tenants(), clients()]
    return "\n".join(sections)


def section(part: type[SettingsPart], processes: Sequence[str]) -> str:
    """A table of one component."""
    title = part.__name__.removesuffix("Settings")
    rows = [
        row(f"`{variable}`", type_of(variable, field), default_of(variable, field), cell(field.description or ""))
        for variable, field in variables_of(part).items()
        if variable not in SET_BY_OURSELVES
    ]
    about = cleandoc(part.__doc__ or "").splitlines()[0]
    heads = table("variable", "type", "default", "meaning")
    return "\n".join([f"## {title}", "", about, "", f"Read by: {', '.join(processes)}.", "", *heads, *rows, ""])


def table(*heads: str) -> tuple[str, str]:
    """Its first two lines."""
    return row(*heads), f"|{'---|' * len(heads)}"


def row(*cells: str) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def type_of(variable: str, field: FieldInfo) -> str:
    """In words, with its bounds."""
    annotation = bare(field.annotation)
    text = words(variable, annotation)
    least, most = bound(field, annotated_types.Ge, "ge"), bound(field, annotated_types.Le, "le")
    above = bound(field, annotated_types.Gt, "gt")
    shown = [shorter(variable, value) for value in (least, most)]
    if least is not None and most is not None:
        return f"{text}, {shown[0]} to {shown[1]}"
    if least is not None:
        return f"{text}, at least {shown[0]}"
    if most is not None:
        return f"{text}, at most {shown[1]}"
    return f"{text}, more than {shorter(variable, above)}" if above is not None else text


def bare(annotation: Any) -> Any:
    """Without None as an alternative, and without what is annotated."""
    if get_origin(annotation) in (Union, types.UnionType):
        (annotation,) = [each for each in get_args(annotation) if each is not type(None)]
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def words(variable: str, annotation: Any) -> str:
    """A type in words."""
    if annotation is timedelta:
        return "time"
    if annotation is bool:
        return "true or false"
    if annotation in (int, float):
        return "bytes" if is_bytes(variable) else "number"
    if annotation is date:
        return "date"
    if annotation is SecretStr:
        return "secret"
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    if get_origin(annotation) is tuple:
        return "list, by commas"
    if get_origin(annotation) is not None or (isinstance(annotation, type) and issubclass(annotation, msgspec.Struct)):
        return "JSON"
    return "path" if isinstance(annotation, type) and issubclass(annotation, Path) else "text"


def bound(field: FieldInfo, kind: type, name: str) -> Any:
    """A limit among the field's constraints."""
    return next((getattr(each, name) for each in field.metadata if isinstance(each, kind)), None)


def default_of(variable: str, field: FieldInfo) -> str:
    """As one would write it; factories depend on the machine."""
    if field.default_factory is not None:
        return "(by machine)"
    value = field.default
    if value is PydanticUndefined:
        return "(required)"
    if value is None or (not value and not isinstance(value, int | timedelta)) or isinstance(value, SecretStr):
        return ""
    if isinstance(value, Mapping):
        return "(see meaning)"
    return f"`{shorter(variable, value)}`"


def shorter(variable: str, value: Any) -> str:
    """A value as short as it can be written."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return span(value)
    if isinstance(value, int) and is_bytes(variable):
        return size(value)
    if isinstance(value, msgspec.Struct):
        return default_json(value)
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value.value if isinstance(value, Enum) else value)


def span(value: timedelta) -> str:
    """As `SettingsPart` reads it."""
    milliseconds = round(value.total_seconds() * 1000)
    for unit, worth in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)):
        if milliseconds and milliseconds % worth == 0:
            return f"{milliseconds // worth}{unit}"
    return f"{milliseconds}ms"


def size(value: int) -> str:
    """The number, and what it is in larger units."""
    for unit, worth in (("GiB", 1 << 30), ("MiB", 1 << 20)):
        if value >= worth and value % worth == 0:
            return f"{value} ({value // worth} {unit})"
    return str(value)


def is_bytes(variable: str) -> bool:
    """Whether a number is of bytes."""
    return variable.removeprefix("MEDIAFLEET_").lower().endswith(BYTES)


def cell(text: str) -> str:
    """Text that does not break a table."""
    return text.replace("|", "\\|")


def tenants() -> str:
    """What an entry of MEDIAFLEET_TENANTS may have."""
    limits = Limits()
    rows = [
        f"| `{field.name}` | `{cell(default_json(getattr(limits, field.name)))}` |"
        for field in msgspec.structs.fields(Limits)
    ]
    about = "What an entry of `MEDIAFLEET_TENANTS` may have: see [limits](limits.md) and [history](history.md)."
    return "\n".join(["## Tenants", "", about, "", *table("field", "default"), *rows, ""])


def default_json(value: Any) -> str:
    """As it would stand in the JSON."""
    return msgspec.json.encode(value).decode()


def clients() -> str:
    """What the command line reads."""
    rows = [f"| `{variable}` | {cell(text)} |" for variable, text in sorted(set(options()))]
    about = "Read by: the command `mediafleet`. Options of the same meaning go before them."
    return "\n".join(["## Command line", "", about, "", *table("variable", "meaning"), *rows, ""])


def options() -> Iterator[tuple[str, str]]:
    """Every option that a variable stands for; the same words for all commands."""
    for entry in entry_points(group="mediafleet.commands"):
        if entry.name == "fleet":  # it has those that every command has
            for option in entry.load().params:
                if isinstance(option, click.Option) and isinstance(option.envvar, str):
                    yield option.envvar, option.help or ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
