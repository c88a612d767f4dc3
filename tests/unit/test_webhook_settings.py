"""Webhooks as they are configured, and the addresses that they may talk to."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from mediafleet_core.identity import TenantId, new_upload_id
from mediafleet_core.media_types import MediaKind
from mediafleet_core.ports import TryOutcome, WebhookMessage
from mediafleet_core.progress import Progress
from mediafleet_core.settings import SettingsError, read
from mediafleet_core.uploads import State, Upload, UploadSpec
from mediafleet_workers.webhooks import WebhookSettings
from mediafleet_workers.webhooks.sending import Sender, is_public
from mediafleet_workers.webhooks.settings import Webhook
from tests.receivers import SECRET, receiving

URL = "https://example.com/hook?key=a-secret-in-the-url"


def configured(monkeypatch: pytest.MonkeyPatch, **hook: Any) -> WebhookSettings:
    monkeypatch.setenv("MEDIAFLEET_WEBHOOKS", json.dumps({"acme": {"url": URL, "secret": SECRET, **hook}}))
    return read(WebhookSettings)


def message() -> WebhookMessage:
    now = datetime.now(UTC)
    upload = Upload(
        upload_id=new_upload_id(),
        tenant=TenantId("acme"),
        spec=UploadSpec(display_name="a.jpg"),
        kind=MediaKind.IMAGE,
        state=State.CANCELLED,
        progress=Progress(series=1, percent=100, work_percent=0, stage="receiving", attempt=0),
        create_time=now,
        revision=2,
        sequence=2,
    )
    return WebhookMessage("m", TenantId("acme"), "mediafleet.upload.cancelled", now, upload)


def test_a_webhook_is_read_and_hides_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = configured(monkeypatch, previous_secret="whsec_" + base64.b64encode(b"x" * 24).decode())
    assert settings.webhooks is not None
    (hook,) = settings.webhooks.values()
    assert [len(secret) for secret in hook.secrets] == [32, 24]
    assert SECRET not in repr(settings)
    assert hook.host == "example.com"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"secret": "hush-hush"}, "acme.secret"),
        ({"secret": "whsec_aHVzaC1odXNo"}, "24 to 64 bytes"),
        ({"url": "ftp://hush-hush"}, "acme.url"),
        ({"url": "https://hush-hush:p@example.com"}, "acme.url"),
        ({"url": "https://hush-hush..example.com/"}, "acme.url"),
        ({"url": f"https://hush-hush{'h' * 64}.example.com"}, "acme.url"),
        ({"url": "http://hush-hush.example.com"}, "MEDIAFLEET_WEBHOOK_PRIVATE"),
        ({"events": ["hush"]}, "mediafleet.batch.failed"),
        ({"colour": "hush-hush"}, "acme.colour"),
    ],
)
def test_what_is_wrong_is_named_and_not_told(monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        configured(monkeypatch, **wrong)
    assert told in str(caught.value)
    assert "MEDIAFLEET_WEBHOOKS" in str(caught.value)
    assert "hush-hush" not in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "Value error" not in str(caught.value)


@pytest.mark.parametrize("broken", ['{"acme"', "[]"])
def test_what_is_no_mapping_is_named_once(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    monkeypatch.setenv("MEDIAFLEET_WEBHOOKS", broken)
    with pytest.raises(SettingsError, match=r"^MEDIAFLEET_WEBHOOKS: \w"):
        read(WebhookSettings)


@pytest.mark.parametrize(
    ("host", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("::7f00:1", False),
        ("::ffff:0:7f00:1", False),
        ("fec0::1", False),
        ("64:ff9b:1::a00:1", False),
        ("3fff::1", False),
        ("192.0.0.192", False),
    ],
)
def test_public_addresses(host: str, public: bool) -> None:
    assert is_public(host) is public


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_nothing_is_sent_to_an_address_that_is_not_public(host: str) -> None:
    async with receiving() as receiver:
        hook = receiver.hook().model_copy(update={"url": receiver.url.replace("127.0.0.1", host)})
        for private in (False, True):
            sender = Sender(WebhookSettings().webhook_timeout, private=private)
            answer = await sender.send(hook, message())
            await sender.close()
            assert answer.outcome is (TryOutcome.DELIVERED if private else TryOutcome.FAILED), answer
            assert private or answer.reason == "address is not public"
        assert len(receiver.heard) == 1


async def test_a_host_that_cannot_be_looked_up_is_a_try_that_failed() -> None:
    hook = Webhook.model_construct(url="https://a..b/", secret=SecretStr(SECRET))
    sender = Sender(WebhookSettings().webhook_timeout, private=False)
    assert (await sender.send(hook, message())).outcome is TryOutcome.FAILED
    await sender.close()


async def test_both_secrets_sign_while_one_replaces_the_other() -> None:
    async with receiving() as receiver:  # which knows the older one
        new = "whsec_" + base64.b64encode(b"y" * 32).decode()
        hook = Webhook(url=receiver.url, secret=SecretStr(new), previous_secret=SecretStr(SECRET))
        sender = Sender(WebhookSettings().webhook_timeout, private=True)
        assert (await sender.send(hook, message())).outcome is TryOutcome.DELIVERED
        await sender.close()
