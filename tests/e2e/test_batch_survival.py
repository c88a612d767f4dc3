"""A batch that outlives the death of everything, twice, and is retried when its poison is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.batches import changes, tell


@pytest.mark.long  # tests/integration/test_batch_cli.py kills the client alone, and is quicker
def test_a_batch_survives_the_death_of_everything(tmp_path: Path) -> None:
    story = tell(tmp_path, members=60, poisoned=5)
    assert changes(story) == ["SEALED", "PARTIALLY_FAILED"]
    assert (story.retried, story.run_again) == (5, 5)
    assert (story.succeeded, story.rows) == (60, 60)
