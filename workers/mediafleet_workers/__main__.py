"""`python -m mediafleet_workers`."""

import sys

from mediafleet_workers.main import main

if __name__ == "__main__":
    sys.exit(main())
