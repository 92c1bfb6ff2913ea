"""Counters and timings for Prometheus; labels name tasks, never cases."""

from __future__ import annotations

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from understudy.server.service import Service

REGISTRY = CollectorRegistry()
SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

REQUESTS = Counter("understudy_requests_total", "Requests by route, status.", ("route", "status"), registry=REGISTRY)
SPENT = Histogram(
    "understudy_request_seconds", "Time to answer by route.", ("route",), buckets=SECONDS, registry=REGISTRY
)
DECISIONS = Counter(
    "understudy_decisions_total",
    "Cases recorded by this process, by who decided them at once (nobody: a person must).",
    ("task", "decided_by"),
    registry=REGISTRY,
)
WAITING = Gauge("understudy_cases_in_line", "Cases accepted and not yet recorded.", ("task",), registry=REGISTRY)


@cache
def counted(route: str, status: int) -> Counter:
    """The counter of a route and status."""
    return REQUESTS.labels(route, status)


@cache
def timed(route: str) -> Histogram:
    """The timings of a route."""
    return SPENT.labels(route)


def exposition(service: Service) -> bytes:
    """Everything in Prometheus' text format."""
    for task, batcher in service.batchers.items():
        WAITING.labels(task).set(batcher.waiting)
    return generate_latest(REGISTRY)
