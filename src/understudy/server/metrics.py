"""Counters and timings for Prometheus; labels name tasks, never cases."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

import prometheus_client
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from understudy.server.service import Service

REGISTRY = prometheus_client.CollectorRegistry()
SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

WAITING = prometheus_client.Gauge(
    "understudy_cases_in_line", "Cases accepted and not yet recorded.", ("task",), registry=REGISTRY
)

MESSAGES = prometheus_client.Counter(
    "understudy_webhook_messages",
    "Messages of this process by webhook, result: sent, failed (it is tried again) or dead (it was given up).",
    ("webhook", "result"),
    registry=REGISTRY,
)


class Answered(Collector):
    """How many requests were answered and how fast, by route; and how many cases, by who decided them.

    Plain numbers, because counting must not cost what it counts; only the event loop's thread writes them.
    """

    def __init__(self) -> None:
        self._answers: Counter[tuple[str, int]] = Counter()
        self._decided: Counter[tuple[str, str]] = Counter()
        self._cells: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def add(self, route: str, status: int, seconds: float) -> None:
        """Count one answer."""
        self._answers[route, status] += 1
        if route not in self._cells:
            self._cells[route], self._seconds[route] = [0] * (len(SECONDS) + 1), 0.0
        self._cells[route][bisect_left(SECONDS, seconds)] += 1
        self._seconds[route] += seconds

    def decided(self, task: str, by: str) -> None:
        """Count one case."""
        self._decided[task, by] += 1

    def collect(self) -> Iterator[Metric]:
        """The families that Prometheus reads."""
        answers = CounterMetricFamily("understudy_requests", "Requests by route, status.", labels=("route", "status"))
        for (route, status), count in list(self._answers.items()):
            answers.add_metric((route, str(status)), count)
        yield answers
        told = "Cases answered by this process, by who decided them (nobody: a person must)."
        decided = CounterMetricFamily("understudy_decisions", told, labels=("task", "decided_by"))
        for key, count in list(self._decided.items()):
            decided.add_metric(key, count)
        yield decided
        seconds = HistogramMetricFamily("understudy_request_seconds", "Time to answer by route.", labels=("route",))
        edges = [*map(str, SECONDS), "+Inf"]
        for route, cells in list(self._cells.items()):
            seconds.add_metric((route,), list(zip(edges, accumulate(cells), strict=True)), self._seconds[route])
        yield seconds


ANSWERED = Answered()
REGISTRY.register(ANSWERED)


def exposition(service: Service) -> bytes:
    """Everything in Prometheus' text format."""
    for task, batcher in service.batchers.items():
        WAITING.labels(task).set(batcher.waiting)
    return prometheus_client.generate_latest(REGISTRY)
