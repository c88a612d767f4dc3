"""`python -m mediafleet_devserver.r2`."""

from __future__ import annotations

from mediafleet_devserver.r2.main import main

main()
