"""`python -m mediafleet.cli`."""

from mediafleet.cli import main

main()
