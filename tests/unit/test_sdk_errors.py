"""The SDK's errors are the inverse of the gateway's table."""

from __future__ import annotations

import pydoc
from inspect import signature

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata

import mediafleet
from mediafleet import MediafleetError
from mediafleet.errors import BY_CODE, BY_REASON, FieldViolation, QuotaViolation, from_rpc_error
from mediafleet_core import errors as core
from mediafleet_core.errors import Reason
from mediafleet_gateway.statuses import CODES, to_status


def received(error: core.MediafleetError) -> MediafleetError:
    status = to_status(error)
    trailers = Metadata(("grpc-status-details-bin", status.SerializeToString()))
    return from_rpc_error(AioRpcError(CODES[error.reason], Metadata(), trailers, status.message))


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_arrives_as_it_left(reason: Reason) -> None:
    error = received(core.MediafleetError(reason, "so it is", metadata={"committedSize": "7"}))
    assert (error.code, error.reason, error.message) == (CODES[reason], reason, "so it is")
    assert error.metadata == {"committedSize": "7"}
    assert isinstance(error, BY_CODE[CODES[reason]])
    assert type(error) is BY_REASON.get(reason, BY_CODE[CODES[reason]])


def test_reasons_with_a_class_of_their_own_exist() -> None:
    assert set(BY_REASON) <= set(Reason)


def test_field_violations_arrive() -> None:
    error = received(core.invalid_field("spec.display_name", "must not be empty"))
    assert error.violations == (FieldViolation("spec.display_name", "must not be empty"),)


def test_quota_violations_arrive() -> None:
    quota = core.QuotaViolation("stored-bytes", "10 of 10 bytes used")
    error = received(core.MediafleetError(Reason.QUOTA_EXCEEDED, "full", quotas=[quota]))
    assert error.quotas == (QuotaViolation("stored-bytes", "10 of 10 bytes used"),)


def test_the_time_to_wait_arrives() -> None:
    assert received(core.MediafleetError(Reason.DRAINING, "later", retry_after=1.5)).retry_after == 1.5


@pytest.mark.parametrize("details", [b"\xff\xff", b"", b"\x08\x05"])
def test_details_that_contradict_the_status_are_no_details(details: bytes) -> None:
    trailers = Metadata(("grpc-status-details-bin", details))
    error = from_rpc_error(AioRpcError(grpc.StatusCode.UNAVAILABLE, Metadata(), trailers, "proxy"))
    assert (type(error).__name__, error.reason, error.message) == ("Unavailable", "", "proxy")


def test_an_unknown_status_is_still_typed() -> None:
    error = from_rpc_error(AioRpcError(grpc.StatusCode.ALREADY_EXISTS, Metadata(), Metadata(), "odd"))
    assert (type(error), error.code) == (MediafleetError, grpc.StatusCode.ALREADY_EXISTS)


def test_a_call_that_an_ending_gateway_has_not_begun_may_be_made_again() -> None:
    error = from_rpc_error(AioRpcError(grpc.StatusCode.CANCELLED, Metadata(), Metadata(), "CANCELLED"))
    assert (type(error).__name__, error.transient, error.code) == ("Unavailable", True, grpc.StatusCode.CANCELLED)
    assert error.message == "the gateway ended before it took the call up"


@pytest.mark.parametrize(
    ("details", "told"),
    [
        (
            (
                "connections to all backends failing; last error: UNKNOWN: ipv6:%5B::1%5D:80: "
                "Failed to connect to remote host: Connection refused"
            ),
            "no gateway answers at [::1]:80 (connection refused)",
        ),
        (
            (
                "connections to all backends failing; last error: UNKNOWN: ipv4:10.0.0.1:80: Tls handshake failed "
                "(TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: error:1:SSL routines:CERTIFICATE_VERIFY_FAILED: self signed: OK"
            ),
            "the TLS certificate of 10.0.0.1:80 is not trusted",
        ),
        (
            "connections to all backends failing; last error: UNAVAILABLE: ipv4:10.0.0.1:80: Socket closed",
            "10.0.0.1:80 closes connections at once; if it expects TLS, name it with https://",
        ),
        (
            "connections to all backends failing; last error: UNKNOWN: ipv4:10.0.0.1:80: something new",
            "no gateway answers at 10.0.0.1:80 (something new)",
        ),
        ("errors resolving a.b:80: [field:x error:y]", "the host of a.b:80 is not known"),
        ("Socket closed", "the connection to the gateway broke off"),
        ("Deadline Exceeded", "the gateway did not answer in time"),
        ("Stream removed (Deadline Exceeded)", "the gateway did not answer in time"),
        ("in a gateway's own words", "in a gateway's own words"),
    ],
)
def test_what_grpc_tells_of_connections_is_put_into_words(details: str, told: str) -> None:
    error = from_rpc_error(AioRpcError(grpc.StatusCode.UNAVAILABLE, Metadata(), Metadata(), details))
    assert (type(error).__name__, error.message) == ("Unavailable", told)


def test_every_exported_name_exists() -> None:
    assert set(mediafleet.__all__) <= set(dir(mediafleet))
    assert all(getattr(mediafleet, name) for name in mediafleet.__all__)
    assert mediafleet.UploadState.Value("UPLOAD_STATE_SUCCEEDED") == 5
    assert mediafleet.UploadState.UPLOAD_STATE_FAILED in mediafleet.TERMINAL_STATES
    assert mediafleet.UploadState.UPLOAD_STATE_QUEUED not in mediafleet.TERMINAL_STATES


def test_help_on_the_package_shows_its_names() -> None:
    text = pydoc.plain(pydoc.render_doc(mediafleet))
    assert "class Client" in text
    assert "class QuotaExceeded" in text
    assert "TERMINAL_STATES" in text


@pytest.mark.parametrize("name", ["watch", "watch_many", "list", "upload_many"])
def test_streams_of_the_synchronous_client_are_plain_generators(name: str) -> None:
    ours, theirs = signature(getattr(mediafleet.Client, name)), signature(getattr(mediafleet.AsyncClient, name))
    assert list(ours.parameters) == list(theirs.parameters)
    assert theirs.return_annotation == f"Async{ours.return_annotation.removesuffix(', None]')}]"
