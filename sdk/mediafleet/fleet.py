"""What administrators ask about queues and workers, and everybody about one upload."""

from __future__ import annotations

from mediafleet.arguments import checked
from mediafleet.calls import Calls
from mediafleet.v1 import fleet_pb2


class FleetCalls(Calls):
    """Of `AsyncClient`: `fleet`, `explain`, `pause_queue` and `resume_queue`."""

    @checked
    async def fleet(self) -> fleet_pb2.Fleet:
        """The queues with their figures, and the workers; needs the scope `admin`, as pausing and resuming do."""
        return (await self._gateways.call(lambda gateway: gateway.fleet.GetFleet, fleet_pb2.GetFleetRequest())).fleet

    @checked
    async def explain(self, upload_id: str) -> fleet_pb2.UploadExplanation:
        """All about one upload: history, attempts, queue or lease, objects, in words too; of any tenant for `admin`."""
        request = fleet_pb2.ExplainUploadRequest(upload_id=upload_id)
        return (await self._gateways.call(lambda gateway: gateway.fleet.ExplainUpload, request)).explanation

    @checked
    async def pause_queue(self, queue: str, *, reason: str = "") -> fleet_pb2.QueueStatus:
        """Hands out no more work of a queue such as `image`; running work goes on, uploads are still taken in."""
        request = fleet_pb2.PauseQueueRequest(queue=queue, reason=reason)
        return (await self._gateways.call(lambda gateway: gateway.fleet.PauseQueue, request)).queue

    @checked
    async def resume_queue(self, queue: str) -> fleet_pb2.QueueStatus:
        """Hands out work of a paused queue again."""
        request = fleet_pb2.ResumeQueueRequest(queue=queue)
        return (await self._gateways.call(lambda gateway: gateway.fleet.ResumeQueue, request)).queue
