"""The application of a server: its endpoints, and what a request becomes on its way to the model and back."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response

from electra_ie.common.errors import nearest
from electra_ie.common.hashing import package_version
from electra_ie.data.document import Document
from electra_ie.inference.engine.results import DocumentResult
from electra_ie.inference.jobs.writers import json_line
from electra_ie.records.writing import as_dict
from electra_ie.serving.metrics import Counted, Metrics
from electra_ie.serving.model import ServedModel
from electra_ie.serving.queue import ModelQueue, QueueFullError, StoppedError
from electra_ie.serving.schemas import (
    Alive,
    Info,
    Ready,
    Result,
    Results,
    SentDocument,
    SentDocuments,
    ServedField,
    Threshold,
)
from electra_ie.web.access import Access
from electra_ie.web.app import create_app
from electra_ie.web.assets import add_assets, page
from electra_ie.web.errors import RequestError, error_responses
from electra_ie.web.guard import Limits

CHECK_SECONDS = 5.0
"""How often the files of the model are looked at."""
BYTES_OF_CHARACTER = 12
"""The most bytes of a character in JSON: two escaped surrogates."""
SMALLEST_BODY = 1_000_000
FAILED = "the text could not be read."
REPORT = "If it happens again, report it; the log names the place."
PATHS = ("/", "/extract", "/extract/batch", "/health", "/info", "/metrics", "/openapi.json", "/ready", "/sign-in")
Records = Annotated[bool, Query(description="Also return the records of the task, with typed values.")]
Decisions = Annotated[
    bool,
    Query(description="Give each finding its decision by the goals of the run; a label without a goal is for review."),
]


@dataclass(frozen=True)
class ServerSettings:
    """The limits of a server.

    Attributes:
        queue: The number of documents that may wait.
        timeout: The seconds after which a request is answered with 504.
        max_characters: The longest text.
    """

    queue: int = 256
    timeout: float = 30.0
    max_characters: int = 100_000


@dataclass(frozen=True)
class Wanted:
    """What an answer has besides the findings: the parameters of a request.

    Attributes:
        records: The records of the task.
        decisions: The decision of each finding.
    """

    records: Records = False
    decisions: Decisions = False


PARAMETERS = [each.name for each in dataclasses.fields(Wanted)]


async def _check_parameters(request: Request) -> None:
    """Raise RequestValidationError for a key of the query that is no parameter, since it is probably misspelled."""
    faults = [
        {"type": "extra_forbidden", "loc": ("query", name), "msg": f"this key is unknown. {nearest(name, PARAMETERS)}"}
        for name in request.query_params
        if name not in PARAMETERS
    ]
    if faults:
        raise RequestValidationError(faults)


def serving_app(model: ServedModel, access: Access, settings: ServerSettings) -> FastAPI:
    """Return the application that answers with a model. The thread with the model runs while the application does."""
    server = _Server(model, settings)
    limits = Limits(bytes=max(SMALLEST_BODY, BYTES_OF_CHARACTER * settings.max_characters + 10_000))
    app = create_app(
        f"electra_ie: {model.task.name}", access, limits=limits, lifespan=server.running, description=DESCRIPTION
    )
    app.add_middleware(Counted, metrics=server.metrics, paths=PATHS)
    add_assets(app, "electra_ie.serving", "static")
    _add_extraction(app, server)
    _add_state(app, server)
    content = page("electra_ie.serving", "static/serve.html")

    @app.get("/", include_in_schema=False)
    async def start() -> HTMLResponse:
        return HTMLResponse(content)

    return app


DESCRIPTION = "Findings have exact offsets in Unicode code points. Texts are neither logged nor stored."


def _add_extraction(app: FastAPI, server: _Server) -> None:
    responses = error_responses(415, 422, 503, 504)
    checked = [Depends(_check_parameters)]

    @app.post(
        "/extract", responses={200: {"model": Result}, **responses}, response_class=Response, dependencies=checked
    )
    async def extract(sent: SentDocument, request: Request, wanted: Annotated[Wanted, Depends()]) -> Response:
        """Extract findings from a text."""
        (answer,) = await server.read([sent], request, wanted)
        if isinstance(answer, RequestError):
            raise answer
        return Response(answer, media_type="application/json")

    @app.post(
        "/extract/batch",
        responses={200: {"model": Results}, **responses},
        response_class=Response,
        dependencies=checked,
    )
    async def extract_batch(sent: SentDocuments, request: Request, wanted: Annotated[Wanted, Depends()]) -> Response:
        """Extract findings from several texts. A text that cannot be read has an error in its place."""
        answers = await server.read(sent.documents, request, wanted)
        lines = [
            _failure(document, answer) if isinstance(answer, RequestError) else answer
            for document, answer in zip(sent.documents, answers, strict=True)
        ]
        return Response(b'{"results": [' + b", ".join(lines) + b"]}", media_type="application/json")


def _add_state(app: FastAPI, server: _Server) -> None:
    @app.get("/health", responses=error_responses())
    async def health() -> Alive:
        """Say that the server answers."""
        return Alive()

    @app.get("/ready", responses=error_responses(503))
    async def ready() -> Ready:
        """Say whether texts are read, and whether the files of the model have changed since it was loaded."""
        if not server.queue.is_running:
            raise _stopped()
        files = server.model.replacement
        model, waiting = server.model.extractor.model, len(server.queue)
        return Ready(status="replaced" if files else "ready", model=model, files=files, waiting=waiting)

    @app.get("/info", responses=error_responses())
    async def info() -> Info:
        """Describe the model, its task and the limits of requests."""
        return server.info

    metrics = {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus"}

    @app.get("/metrics", responses={200: metrics, **error_responses()}, response_class=Response)
    async def counts() -> Response:
        """Return counts in the format of Prometheus."""
        return Response(server.metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")


class _Server:
    """The state of a server: model, queue and counts."""

    def __init__(self, model: ServedModel, settings: ServerSettings) -> None:
        self.model, self.settings = model, settings
        names = {"model": model.extractor.model or "", "task": model.task.name, "version": package_version()}
        self.metrics = Metrics(lambda: len(self.queue), names)
        self.queue = ModelQueue(model.extractor, settings.queue, self.metrics.together.observe)
        self.info = self._info()

    def _info(self) -> Info:
        task, settings, calibration = self.model.task, self.settings, self.model.extractor.calibration
        fields = [
            ServedField(
                name=field.name,
                kind=field.kind,
                labels=list(field.labels),
                descriptions={label: text for label, text in task.descriptions.get(field.name, {}).items() if text},
            )
            for field in self.model.extractor.all_fields
        ]
        return Info(
            run=os.path.basename(os.path.normpath(self.model.name)),
            task=task.name,
            description=task.description,
            fields=fields,
            thresholds=[
                Threshold(field=field, label=label, accept=each.accept, keep=each.keep)
                for (field, label), each in (calibration.thresholds if calibration else {}).items()
            ],
            has_records=self.model.maker is not None,
            model=self.model.extractor.model,
            version=package_version(),
            max_characters=settings.max_characters,
            max_documents=settings.queue,
            timeout=settings.timeout,
        )

    @asynccontextmanager
    async def running(self, _: FastAPI) -> AsyncIterator[None]:
        """Run the thread with the model, and look at its files, as long as the application runs."""
        self.queue.start()
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            await asyncio.to_thread(self.queue.stop)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            replacement = await asyncio.to_thread(self.model.check_files)
            self.metrics.replaced.set(replacement is not None)

    async def read(self, sent: Sequence[SentDocument], request: Request, wanted: Wanted) -> list[bytes | RequestError]:
        """Return the answer for each text: a line of JSON, or an error.

        Raises:
            RequestError: The model lacks what is wanted (422), there is no room for the texts in the queue (503), or
                the time is up (504).
        """
        if wanted.records and self.model.maker is None:
            raise RequestError(422, "the task has no records.", "Leave out the parameter records.")
        if wanted.decisions and not self.info.thresholds:
            remedy = "Set goals with electra-ie calibrate and start the server again, or leave out decisions."
            raise RequestError(422, "the run has no goals, by which findings are decided on.", remedy)
        if len(sent) > self.settings.queue:
            raise RequestError(413, f"the request has more than {self.settings.queue:,} texts.", "Send fewer at once.")
        answers: list[bytes | RequestError | None] = [self._too_long(document) for document in sent]
        places = [place for place, answer in enumerate(answers) if answer is None]
        documents = [Document(sent[place].id, sent[place].text) for place in places]
        render = partial(self._line, wanted=wanted)
        found = await self._found(documents, request, render) if documents else []
        for place, document, answer in zip(places, documents, found, strict=True):
            if isinstance(answer, BaseException):
                answers[place] = _stopped() if isinstance(answer, StoppedError) else RequestError(500, FAILED, REPORT)
                continue
            line, result = answer
            self.metrics.add(result.findings, len(document.text))
            answers[place] = line
        return answers  # type: ignore[return-value] # none of them is None any more

    def _too_long(self, document: SentDocument) -> RequestError | None:
        limit = self.settings.max_characters
        if len(document.text) <= limit:
            return None
        return RequestError(413, f"the text has more than {limit:,} characters.", "Send it in parts.")

    async def _found(self, documents: Sequence[Document], request: Request, render: Any) -> list[Any]:
        """Return what `render` makes of each document, or its error. A client that hangs up ends the work for it."""
        try:
            waiting = self.queue.put(documents, render)
        except QueueFullError as error:
            seconds = math.ceil(min(max(error.seconds, 1.0), self.settings.timeout))
            headers = {"Retry-After": str(seconds)}
            message = f"the queue is full: {self.queue.places:,} texts may wait."
            raise RequestError(503, message, f"Try again in {seconds} s.", headers) from None
        except StoppedError:
            raise _stopped() from None
        everything = waiting[0] if len(waiting) == 1 else asyncio.ensure_future(asyncio.wait(waiting))
        hung_up = asyncio.ensure_future(request.receive())
        try:
            await asyncio.wait(
                {everything, hung_up}, timeout=self.settings.timeout, return_when=asyncio.FIRST_COMPLETED
            )
            if everything.done():
                return [each.result() for each in waiting]
            if hung_up.done():
                raise RequestError(400, "the client hung up.")  # nobody reads it
            message = f"the answer took more than {self.settings.timeout:g} seconds."
            raise RequestError(504, message, "Send shorter or fewer texts, or try again later.")
        finally:
            hung_up.cancel()
            everything.cancel()
            for each in waiting:
                each.cancel()

    def _line(self, result: DocumentResult, wanted: Wanted) -> tuple[bytes, DocumentResult]:
        """Return the line that `electra-ie extract` writes with what is wanted besides, and the result.

        Called in the thread with the model.
        """
        record = result.record()
        if wanted.records:
            assert self.model.maker is not None
            record["records"] = [as_dict(each) for each in self.model.maker.of_findings(record)]
        if wanted.decisions:
            assert self.model.extractor.calibration is not None
            for finding in record["findings"]:
                own = finding["field"], finding["label"], finding["score"]
                finding["decision"] = self.model.extractor.calibration.decide(*own)
        return json_line(record).rstrip("\n").encode("utf-8"), result


def _stopped() -> RequestError:
    return RequestError(503, "the thread with the model has ended.", "Start the server again.")


def _failure(document: SentDocument, error: RequestError) -> bytes:
    """Return the answer for one of several texts that has failed."""
    body = {"status": error.status_code, "message": error.detail, "remedy": error.remedy, "faults": []}
    return json.dumps({"id": document.id, "error": body}).encode("ascii")
