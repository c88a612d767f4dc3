"""The token that the guide to Kubernetes has made by hand is one that gateways take."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

from mediafleet_core.identity import TenantId
from mediafleet_gateway.auth import Principal, Scope
from mediafleet_gateway.tokens import JwtVerifier

GUIDE = Path("docs/guide/kubernetes.md")
KEY = "k" * 64


def test_a_token_made_as_the_guide_tells_is_taken() -> None:
    fence = re.search(r"^kubectl .* -- python -c '\n(.*?)'\n```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert fence
    made = subprocess.run(
        [sys.executable, "-c", fence[1]], env={"MEDIAFLEET_TOKEN_KEY": KEY}, capture_output=True, text=True, check=True
    )
    principal = asyncio.run(JwtVerifier([KEY]).verify(f"Bearer {made.stdout.strip()}"))
    assert principal == Principal(TenantId("acme"), frozenset({Scope.UPLOAD, Scope.READ, Scope.CANCEL}))
