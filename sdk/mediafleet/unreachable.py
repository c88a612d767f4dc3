"""Why no gateway answered, in a sentence: gRPC tells it to developers, with escapes and codes of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

_CONNECTING = re.compile(r"connections to all backends failing; last error: \w+: (?:ipv[46]:)?(\S+): (.*)", re.DOTALL)

_CONNECTION: Sequence[tuple[str, str]] = (
    ("WRONG_VERSION_NUMBER", "what answers at {} speaks no TLS; if it is a gateway, name it without https://"),
    ("CERTIFICATE_VERIFY_FAILED", "the TLS certificate of {} is not trusted"),
    ("certificate", "the TLS certificate of {} is for another name"),
    ("http1.x", "what answers at {} is no gateway: it speaks HTTP/1"),
    ("refused", "no gateway answers at {} (connection refused)"),
    ("timed out", "no gateway answers at {} (timed out)"),
    ("closed", "{} closes connections at once; if it expects TLS, name it with https://"),
    ("reset", "{} closes connections at once; if it expects TLS, name it with https://"),
)
"""What the reason of a failed connection holds, and what that means; the first that fits."""

_OTHER: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile(r"errors resolving (\S+): "), "the host of {} is not known"),
    (re.compile(r"DNS resolution failed for (\S+): "), "the host of {} is not known"),
    (re.compile(r"Received http2 header with status: (\d+)"), "what answers is no gateway (HTTP status {})"),
    (re.compile(r"Socket closed|recvmsg:"), "the connection to the gateway broke off"),
    (re.compile(r"(?:Stream removed \()?Deadline Exceeded"), "the gateway did not answer in time"),
    (re.compile(r"CANCELLED$"), "the gateway ended before it took the call up"),
)


def sentence(details: str) -> str:
    """What `details` of gRPC's own say, for people; unchanged where they are not known."""
    if connecting := _CONNECTING.match(details):
        address, cause = unquote(connecting[1]), connecting[2]
        for sign, meaning in _CONNECTION:
            if sign in cause:
                return meaning.format(address)
        return f"no gateway answers at {address} ({cause})"
    for pattern, meaning in _OTHER:
        if found := pattern.match(details):
            return meaning.format(*found.groups())
    return details
