"""Our presigned URLs are those of botocore, for any key, query and header."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from mediafleet_core.storage.sigv4 import Signer

NOW = datetime(2026, 11, 26, 7, 30, 5, tzinfo=UTC)
KEY_ID, SECRET = "key-id", "secret/with+signs"
TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
NAME = TEXT.filter(lambda name: not name.startswith("X-Amz-"))
PATH = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)
HEADERS = st.dictionaries(
    st.from_regex(r"x-amz-meta-[a-z0-9]{1,8}", fullmatch=True),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40),
    max_size=4,
)


def botocores(endpoint: str, path: str, query: dict[str, str], headers: dict[str, str], expires: int) -> str:
    url = endpoint + quote(path, safe="/~")
    request = AWSRequest("PUT", f"{url}?{urlencode(query)}" if query else url, headers=headers)
    S3SigV4QueryAuth(Credentials(KEY_ID, SECRET), "s3", "auto", expires=expires).add_auth(request)
    return str(request.url)


@pytest.mark.parametrize(
    "endpoint", ["https://r2.example", "https://r2.example:443", "http://127.0.0.1:9000", "http://[::1]:9000"]
)
@given(path=PATH, query=st.dictionaries(NAME, TEXT, max_size=3), headers=HEADERS, expires=st.integers(1, 604800))
def test_urls_are_botocores(
    endpoint: str, path: str, query: dict[str, str], headers: dict[str, str], expires: int
) -> None:
    theirs = urlsplit(botocores(endpoint, "/" + path, query, headers, expires))
    now = datetime.strptime(parse_qs(theirs.query)["X-Amz-Date"][0], "%Y%m%dT%H%M%S%z")
    ours = urlsplit(Signer(endpoint, "auto", KEY_ID, SECRET).put("/" + path, query, headers, now, expires))
    assert ours[:3] == theirs[:3]
    assert parse_qs(ours.query) == parse_qs(theirs.query)


def test_the_key_of_yesterday_is_not_used_today() -> None:
    signer = Signer("https://r2.example", "auto", KEY_ID, SECRET)
    today = signer.put("/o", {}, {}, NOW, 60)
    tomorrow = signer.put("/o", {}, {}, NOW.replace(day=27), 60)
    assert parse_qs(urlsplit(today).query)["X-Amz-Signature"] != parse_qs(urlsplit(tomorrow).query)["X-Amz-Signature"]


def test_a_host_is_asked_as_it_is_signed() -> None:
    assert (
        Signer("https://R2.Example", "auto", KEY_ID, SECRET)
        .put("/o", {}, {}, NOW, 60)
        .startswith("https://r2.example/")
    )
