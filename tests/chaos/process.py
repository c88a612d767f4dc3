"""`python -m tests.chaos.process gateway|worker FOLDER`: the real process, with failpoints around its ports.

Only what has no setting is shortened in it: how long an import is left to a gateway that gives no sign of life.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

import mediafleet_gateway.bootstrap
import mediafleet_gateway.main
import mediafleet_workers.bootstrap
import mediafleet_workers.main
from mediafleet_core.intake import copying
from mediafleet_core.ledger import LedgerSettings, connect
from mediafleet_core.storage import open_store
from mediafleet_workers.sandbox.sandbox import Sandbox
from tests.chaos.failpoints import Failpoints
from tests.chaos.points import Port
from tests.fleet import GATEWAY


def main(role: str, folder: Path) -> int:
    """Run it until SIGTERM; its adapters are made by the product and wrapped here."""
    points = Failpoints(folder, role, os.environ["MEDIAFLEET_LEDGER_URL"])

    async def connected(settings: LedgerSettings) -> object:
        return points.wrap(Port.LEDGER, await connect(settings))

    made = {
        "connect": connected,
        "open_store": lambda *given: points.wrap(Port.STORE, open_store(*given)),
        "DramatiqQueue": points.queue,
        "Sandbox": lambda *args, **kwargs: points.wrap(Port.SANDBOX, Sandbox(*args, **kwargs)),
    }
    copying.HOLD, copying._BEAT = timedelta(seconds=1), 0.1
    bootstrap = mediafleet_gateway.bootstrap if role == GATEWAY else mediafleet_workers.bootstrap
    for name, maker in made.items():
        if hasattr(bootstrap, name):
            setattr(bootstrap, name, maker)
    return mediafleet_gateway.main.main([]) if role == GATEWAY else mediafleet_workers.main.main()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
