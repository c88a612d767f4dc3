"""A bucket's rules for browsers and of expiry, judged by what mediafleet needs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from mediafleet_core.doctor.findings import Finding, failed, ok
from mediafleet_core.object_keys import ROOT

CORS_GUIDE = "set the CORS rules of docs/guide/direct-uploads.md#browsers, with your own origin"
HEADER = "x-amz-checksum-crc32c"
"""That a part comes with, besides what a browser may send anyway."""


def judge_cors(origin: str, allowed: Mapping[str, str], exposed: str) -> Finding:
    """By the headers of a preflight's answer, in lower case (none if it was refused), and by what a PUT exposed."""
    methods = allowed.get("access-control-allow-methods", "").upper()
    if allowed.get("access-control-allow-origin") not in (origin, "*") or "PUT" not in methods:
        return failed("cors", f"pages of {origin} may not send parts", CORS_GUIDE)
    if not _listed(allowed.get("access-control-allow-headers", "")) & {"*", HEADER}:
        return failed("cors", f"the header {HEADER} is not allowed", CORS_GUIDE)
    if not _listed(exposed) & {"*", "etag"}:
        return failed("cors", "pages cannot read the ETag of a part", CORS_GUIDE)
    return ok("cors", f"pages of {origin} may send parts and read their ETags")


def judge_lifecycle(rules: Sequence[Any], upload_expiry: timedelta) -> Iterator[Finding]:
    """By the rules as S3 tells them; none where no rule that is switched on concerns uploads."""
    for rule in rules:
        name, prefix = rule.get("ID", "without a name"), _prefix(rule)
        if rule.get("Status") != "Enabled" or not (prefix.startswith(ROOT) or ROOT.startswith(prefix)):
            continue
        if rule.get("Expiration", {}).keys() & {"Days", "Date"}:  # else it is about markers of what is deleted
            text = f"the rule {name} deletes stored files"
            yield failed("lifecycle", text, "remove it: mediafleet deletes by itself")
        if "AbortIncompleteMultipartUpload" in rule:
            yield _judge_abort(name, rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"], upload_expiry)


def _judge_abort(name: str, days: int, upload_expiry: timedelta) -> Finding:
    text = f"the rule {name} ends unfinished multiparts after {days} days"
    if timedelta(days=days) > upload_expiry:
        return ok("lifecycle", text)
    lives = f"{upload_expiry / timedelta(hours=1):.0f} hours"
    return failed("lifecycle", f"{text}, and uploads live {lives}", "let it wait longer than MEDIAFLEET_UPLOAD_EXPIRY")


def _prefix(rule: Any) -> str:
    chosen = rule.get("Filter", {})
    return str(rule.get("Prefix") or chosen.get("Prefix") or chosen.get("And", {}).get("Prefix") or "")


def _listed(header: str) -> set[str]:
    return {name.strip().lower() for name in header.split(",")}
