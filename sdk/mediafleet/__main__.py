"""The program `mediafleet`, which is `python -m mediafleet` too."""

from __future__ import annotations

import signal


def main() -> None:
    """Runs the command line of this process."""
    # While the rest is imported Ctrl-C has nothing to put in order, and nothing to say.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from mediafleet.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
