"""`python -m mediafleet_gateway`."""

import sys

from mediafleet_gateway.main import main

if __name__ == "__main__":
    sys.exit(main())
