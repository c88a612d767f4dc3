"""`mediafleet usage`: what is stored now, and what was."""

from __future__ import annotations

import click

from mediafleet.cli.usage.history import history
from mediafleet.cli.usage.show import show


class _Usage(click.Group):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Without the name of a command it shows what is stored."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["show", *args]
        return super().parse_args(ctx, args)


usage = _Usage(
    "usage",
    help="Show what is stored, and what it costs; see `usage show --help`.",
    short_help="Show what is stored, and what it costs.",
    commands=[show, history],
)
