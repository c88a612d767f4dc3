"""The synchronous client has every method of the asynchronous one, with the same parameters and words."""

from __future__ import annotations

from inspect import Signature, getdoc, signature
from typing import Any

import pytest

from mediafleet import AsyncClient, Client
from mediafleet.batches import AsyncBatches
from mediafleet.client import Batches, Imports, Notifications
from mediafleet.imports import AsyncImports
from mediafleet.notifications import AsyncNotifications


@pytest.mark.parametrize(
    ("asynchronous", "synchronous"),
    [
        (AsyncClient, Client),
        (AsyncBatches, Batches),
        (AsyncImports, Imports),
        (AsyncNotifications, Notifications),
    ],
)
def test_twins_have_the_same_methods(asynchronous: type, synchronous: type) -> None:
    theirs, ours = methods(asynchronous), methods(synchronous)
    assert ours.keys() == theirs.keys()
    for name, method in theirs.items():
        assert parameters(ours[name]) == parameters(method), name
        assert name == "close" or getdoc(ours[name]) == getdoc(method)


def methods(kind: type) -> dict[str, Any]:
    found = {name: getattr(kind, name) for name in dir(kind) if not name.startswith("_")}
    return {name: method for name, method in found.items() if callable(method)}


def parameters(method: Any) -> Signature:
    return signature(method).replace(return_annotation=Signature.empty)
