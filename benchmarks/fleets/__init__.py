"""Fleets that do nothing, as fast as they can: ours and its peers, each a sender and a worker with the same body."""
