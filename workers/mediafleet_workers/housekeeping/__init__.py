"""Upkeep of the whole fleet, done by one worker process at a time."""

from mediafleet_workers.housekeeping.housekeeping import Housekeeping
from mediafleet_workers.housekeeping.settings import HousekeepingSettings

__all__ = ["Housekeeping", "HousekeepingSettings"]
