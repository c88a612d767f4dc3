"""Files without a pipeline: their type is found, nothing is made of them."""

from __future__ import annotations

from mediafleet_core.media_types import declared_type, kind_of
from mediafleet_workers.pipeline.job import PipelineJob, PipelineResult, Report, StepProgress
from mediafleet_workers.pipeline.sniff import CONTAINERS, canonical, check_claims, found_type, is_camera_raw

UNKNOWN_TYPE = "application/octet-stream"


def process(job: PipelineJob, head: bytes, report: Report) -> PipelineResult:
    """The type as found, or else as declared. Raises CONTENT_TYPE_MISMATCH."""
    report(StepProgress(step="sniff", fraction=0.0))
    found = found_type(head)
    check_claims(job, found, empty=not head)
    declared = canonical(declared_type(job.declared_type, job.display_name))
    vague = not found or found in CONTAINERS or is_camera_raw(job, found)
    content_type = (declared if vague and declared else found) or UNKNOWN_TYPE
    report(StepProgress(step="sniff", fraction=1.0))
    return PipelineResult(kind=kind_of(content_type), content_type=content_type)
