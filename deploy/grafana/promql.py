"""PromQL in the few forms that the boards need. Every selector follows the board's variables."""

from __future__ import annotations

from typing import Final

FLEET: Final = 'cluster=~"$cluster", namespace=~"$namespace"'
"""State of the whole cluster, which one process exports."""
PROCESS: Final = f'{FLEET}, job=~"$job"'
"""What each process counts for itself."""
QUEUE: Final = f'{FLEET}, queue=~"$queue"'
KIND: Final = f'{PROCESS}, kind=~"(?i)$queue"'
"""A kind of work and its queue have one name."""
WINDOW: Final = "$__rate_interval"


def series(metric: str, scope: str, *matchers: str) -> str:
    """The instant vector of a metric."""
    return f"{metric}{{{', '.join((scope, *matchers))}}}"


def rate(metric: str, scope: str, *matchers: str, window: str = WINDOW) -> str:
    """Per second."""
    return f"rate({series(metric, scope, *matchers)}[{window}])"


def total(vector: str, *by: str) -> str:
    """The sum, apart by some labels."""
    return f"sum by ({', '.join(by)}) ({vector})" if by else f"sum({vector})"


def most(vector: str, *by: str) -> str:
    """The largest, apart by some labels."""
    return f"max by ({', '.join(by)}) ({vector})" if by else f"max({vector})"


def least(vector: str, *by: str) -> str:
    """The smallest, apart by some labels."""
    return f"min by ({', '.join(by)}) ({vector})" if by else f"min({vector})"


def share(part: str, whole: str) -> str:
    """Part of whole; 0 where there is nothing."""
    return f"{part} / clamp_min({whole}, 1e-9)"


def quantile(q: float, histogram: str, scope: str, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """Of what a histogram saw in the window."""
    buckets = total(rate(f"{histogram}_bucket", scope, *matchers), "le", *by)
    return f"histogram_quantile({q:g}, {buckets})"


def mean(histogram: str, scope: str, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """Of what a histogram saw in the window."""
    return share(
        total(rate(f"{histogram}_sum", scope, *matchers), *by), total(rate(f"{histogram}_count", scope, *matchers), *by)
    )


def age(timestamp: str) -> str:
    """Seconds since a time; 0 where the time is 0, which stands for none."""
    return f"clamp_min(time() - {timestamp}, 0) * ({timestamp} > bool 0)"


def share_or_all(part: str, whole: str) -> str:
    """Part of whole; 1 where there is nothing."""
    return f"({part} / ({whole} > 0)) or vector(1)"


def or_none(vector: str, label: str) -> str:
    """What is above zero; a series that is called `none` while nothing is."""
    return f'({vector} > 0) or on () label_replace(vector(0), "{label}", "none", "", "")'


def busiest(count: int, vector: str) -> str:
    """The largest few, and nothing that is zero."""
    return f"topk({count}, {vector} > 0)"
