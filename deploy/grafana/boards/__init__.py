"""The boards, in the order in which they link to one another."""

from __future__ import annotations

from typing import Final

from deploy.grafana.boards import gateway, kinds, overview, queues, redis, rollout, storage, streams
from deploy.grafana.model import Board

BOARDS: Final[tuple[Board, ...]] = (
    overview.BOARD,
    gateway.BOARD,
    queues.BOARD,
    kinds.BOARD,
    storage.BOARD,
    streams.BOARD,
    redis.BOARD,
    rollout.BOARD,
)
