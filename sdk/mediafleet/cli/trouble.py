"""A word on stderr while no gateway answers, so that nobody waits before a silent terminal."""

from __future__ import annotations

import logging
import time

import click

from mediafleet.cli.text import plain

_SOON = 0.5
"""Seconds of trouble that are not worth a word."""

_OVER = 15.0
"""Seconds without trouble after which the next one is new; longer than the delay between two tries."""


class Trouble(logging.Handler):
    """Tells once of each time without a gateway, as the SDK logs it try by try."""

    def __init__(self, timeout: float) -> None:
        """`timeout` is the patience, in seconds."""
        super().__init__()
        self._timeout = timeout
        self._since = self._latest = float("-inf")
        self._told = False

    def emit(self, record: logging.LogRecord) -> None:
        """One try failed."""
        now = time.monotonic()
        if now - self._latest > _OVER:
            self._since, self._told = now, False
        self._latest = now
        if not self._told and now - self._since >= _SOON:
            self._told = True
            click.echo(f"mediafleet: {plain(record.getMessage())}; trying for {self._timeout:g} s", err=True)


def tell_of_trouble(timeout: float) -> None:
    """From now on, in this process."""
    logger = logging.getLogger("mediafleet")
    logger.setLevel(logging.INFO)
    logger.addHandler(Trouble(timeout))
    logger.propagate = False
