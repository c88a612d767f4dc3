"""The methods that this server offers, as their descriptors tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from google.protobuf import descriptor_pool

_TYPES = {
    (False, False): "unary",
    (False, True): "server_stream",
    (True, False): "client_stream",
    (True, True): "bidi_stream",
}


class Method(NamedTuple):
    """One method; its `type` as metrics call it."""

    type: str
    service: str
    name: str

    @property
    def path(self) -> str:
        """As it travels: /package.Service/Name."""
        return f"/{self.service}/{self.name}"

    @property
    def ours(self) -> bool:
        """Whether it belongs to mediafleet and not to health or reflection."""
        return self.service.startswith("mediafleet.")


UNKNOWN = Method("unknown", "unknown", "unknown")
"""Stands for every path that is not offered."""

Methods = Mapping[str, Method]


def methods_of(services: Iterable[str]) -> Methods:
    """Every method of the named services, by path."""
    described = map(descriptor_pool.Default().FindServiceByName, services)
    found = [
        Method(_TYPES[method.client_streaming, method.server_streaming], service.full_name, method.name)
        for service in described
        for method in service.methods
    ]
    return {method.path: method for method in found}
