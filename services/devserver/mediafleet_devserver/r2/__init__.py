"""An S3 endpoint on loopback that keeps Cloudflare R2's rules, for development and tests: moto behind them."""

from __future__ import annotations

from mediafleet_devserver.r2.endpoint import R2Endpoint
from mediafleet_devserver.r2.faults import Fault, FaultKind
from mediafleet_devserver.r2.server import serving
from mediafleet_devserver.r2.settings import R2Settings

__all__ = ["Fault", "FaultKind", "R2Endpoint", "R2Settings", "serving"]
