"""What commands print for programs: one JSON object per line."""

from __future__ import annotations

import json

import click
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from mediafleet.cli.failures import Refusal, refusal


def json_text(message: Message) -> str:
    """The message in proto JSON on one line, with the names of the .proto files.

    What is 0, false or empty is there too, so that a program finds the same fields each time; what is unknown is not.
    """
    return MessageToJson(
        message,
        preserving_proto_field_name=True,
        indent=None,
        ensure_ascii=False,
        always_print_fields_with_no_presence=True,
    )


def json_line(message: Message) -> None:
    """Prints the message."""
    click.echo(json_text(message))


def json_refusal(error: Refusal, **of: str) -> None:
    """Prints why there is no message: `of` tells which file or upload was refused."""
    click.echo(json.dumps({**of, "error": refusal(error)}, ensure_ascii=False))
