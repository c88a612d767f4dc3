"""The command `mediafleet`. Commands come from the entry point group `mediafleet.commands`, each loaded when used."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Any

import click

from mediafleet.cli import interrupts

GROUP = "mediafleet.commands"


class Commands(click.Group):
    """Commands of every installed distribution; their failures end in one line and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, sorted."""
        return sorted(entry_points(group=GROUP).names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported; None if there is none of this name."""
        for entry in entry_points(group=GROUP, name=cmd_name):
            command: click.Command = entry.load()
            return command
        return None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Reads the name of the command; of options in front of it, says where they belong."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            said = f"{error.message} Options of a command stand behind its name, as in `mediafleet list --json`."
            raise click.NoSuchOption(error.option_name, said, ctx=ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command; what the SDK raises becomes a line on stderr."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # of a reader that has enough, as in `| head`, click says nothing
        except KeyboardInterrupt as interrupt:
            raise click.exceptions.Exit(interrupts.exit_code(interrupt)) from None
        except Exception as error:
            from mediafleet.cli.failures import failure_of

            failure = failure_of(error)
            if failure is None:
                raise
            raise failure from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mediafleet", message="%(package)s %(version)s")
def cli() -> None:
    """Send media files to a mediafleet, follow their processing, fetch the results."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; exit codes are 0 for success, 1 for a failure, 2 for wrong usage, beside signals."""
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # its warnings repeat what is said here in words
    try:
        cli(args=arguments, prog_name="mediafleet")
    except SystemExit as ended:
        interrupts.die(ended.code)
        raise
