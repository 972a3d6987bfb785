"""What a server counts, for Prometheus. No label has text: paths, statuses, and the task's own fields and labels."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from electra_ie.data.document import Finding

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
DOCUMENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The counts of one server."""

    def __init__(self, waiting: Callable[[], int], model: Mapping[str, str]) -> None:
        """Begin at zero. waiting: returns the documents in the queue. model: labels that name the model."""
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "electra_ie_requests", "Requests by path and status of the answer", ["path", "status"], registry=registry
        )
        self.seconds = Histogram(
            "electra_ie_request_seconds", "Seconds of a request", ["path"], buckets=SECONDS, registry=registry
        )
        self.documents = Counter("electra_ie_documents", "Texts that were read", registry=registry)
        self.characters = Counter("electra_ie_characters", "Characters that were read", registry=registry)
        self.findings = Counter("electra_ie_findings", "Findings", ["field", "label"], registry=registry)
        self.together = Histogram(
            "electra_ie_batch_documents", "Texts that were read together", buckets=DOCUMENTS, registry=registry
        )
        queue = Gauge("electra_ie_queue_documents", "Texts in the queue", registry=registry)
        queue.set_function(waiting)
        self.replaced = Gauge(
            "electra_ie_model_replaced",
            "1 if the files are not those of the loaded model",
            registry=registry,
        )
        Gauge("electra_ie_model", "The loaded model", [*model], registry=registry).labels(**model).set(1)

    def add(self, findings: list[Finding], characters: int) -> None:
        """Count a text that was read."""
        self.documents.inc()
        self.characters.inc(characters)
        for finding in findings:
            self.findings.labels(finding.field, finding.label).inc()

    def page(self) -> bytes:
        """Return the counts in the format of Prometheus."""
        return generate_latest(self.registry)


class Counted:
    """ASGI middleware that counts requests and their seconds.

    Args:
        app: The application.
        metrics: The counts.
        paths: The paths that are counted by name; all others are `other`.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: tuple[str, ...]) -> None:
        self.app, self.metrics, self.paths = app, metrics, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            path = scope["path"] if scope["path"] in self.paths else "other"
            self.metrics.requests.labels(path, status).inc()
            self.metrics.seconds.labels(path).observe(time.perf_counter() - began)
