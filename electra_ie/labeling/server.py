"""The server of the page: its answers, from a session. It needs the packages of the extra `serve`."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel
from pydantic import Field as Described

from electra_ie.data.fields import Field, RelationField
from electra_ie.labeling.session import Session, TaskChanged
from electra_ie.labeling.store import Conflict
from electra_ie.web.access import Access
from electra_ie.web.app import create_app
from electra_ie.web.assets import add_assets, page
from electra_ie.web.errors import Unicode, error_response, error_responses

CONFLICT, CHANGED, FULL = 409, 412, 507
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
SUGGESTION_SECONDS = 20.0
"""How long a request for suggestions waits; the page asks again."""


class Draft(BaseModel):
    """What is marked in a text."""

    annotation: dict[Unicode, Any] | None = Described(description="Values by field; null forgets the draft.")
    task: Unicode = Described(description="The version of the task that the page was loaded with.")


class Answer(BaseModel):
    """An annotation to save."""

    annotation: dict[Unicode, Any] = Described(description="Values by field, as in the records of the task.")
    version: Unicode = Described(description="The version of the annotation that the page has shown.")
    task: Unicode = Described(description="The version of the task that the page was loaded with.")
    decide: bool = Described(False, description="Settle a difference between annotators.")


def build_app(session: Session, access: Access) -> FastAPI:
    """Return the application of a session. The session is closed with it."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        session.close()

    app = create_app("electra-ie label", access, lifespan=lifespan, description="Labels of a task, for its page.")
    app.add_exception_handler(Conflict, _conflict)
    app.add_exception_handler(TaskChanged, _changed)
    app.add_exception_handler(OSError, _not_written)
    add_assets(app, "electra_ie.labeling", "static")
    content = page("electra_ie.labeling", "static/label.html")

    @app.get("/", include_in_schema=False)
    def show_page() -> Response:
        return HTMLResponse(content)

    _add_texts(app, session)
    _add_results(app, session)
    return app


def _add_texts(app: FastAPI, session: Session) -> None:
    """Add the endpoints on texts and what is marked in them."""
    refused = error_responses(CONFLICT, CHANGED, 415, 422, FULL)

    @app.get("/api/task", responses=error_responses(CHANGED))
    def task() -> dict[str, Any]:
        """Return the fields of the task, and whose session this is."""
        session.check()
        return {
            "name": session.task.name,
            "description": session.task.description,
            "version": session.version,
            "annotator": session.annotator,
            "fields": [_field(field, session) for field in session.store.fields],
            "grows_dev": session.order.grows_dev,
        }

    @app.get("/api/next", responses=error_responses(CHANGED, 422, FULL))
    def next_text() -> dict[str, Any]:
        """Return the text to label; its value is null if there is none."""
        return session.next()

    @app.get("/api/texts/{key}", responses=error_responses(422))
    def text(key: str) -> dict[str, Any]:
        """Return a text."""
        return session.show(key)

    @app.get("/api/texts/{key}/suggestions", responses=error_responses(422))
    def suggestions(key: str) -> dict[str, Any]:
        """Return what the run suggests; null if it needs more time."""
        return {"suggestions": session.suggest(key, SUGGESTION_SECONDS), "failure": session.suggester.failure}

    @app.put("/api/texts/{key}", responses=refused)
    def save(key: str, answer: Answer) -> dict[str, Any]:
        """Save an annotation, and return the next text."""
        return session.save(key, answer.annotation, answer.version, answer.task, answer.decide)

    @app.put("/api/texts/{key}/draft", responses=refused)
    def draft(key: str, marked: Draft) -> dict[str, Any]:
        """Keep what is marked and not saved."""
        session.keep_draft(key, marked.annotation, marked.task)
        return {}

    @app.post("/api/texts/{key}/skip", responses=refused)
    def skip(key: str) -> dict[str, Any]:
        """Skip a text, and return the next one."""
        return session.skip(key)

    @app.post("/api/undo", responses=refused)
    def undo() -> dict[str, Any]:
        """Undo the last save or skip, and return its text."""
        return session.undo()

    @app.get("/api/skipped", responses=error_responses(422))
    def skipped() -> dict[str, Any]:
        """Return the first text that was skipped."""
        return session.again()

    @app.get("/api/recent")
    def recent() -> dict[str, Any]:
        """Return the texts that were saved or skipped, the last one first."""
        return {"texts": session.recent()}


def _add_results(app: FastAPI, session: Session) -> None:
    """Add the endpoints on the training and on what the labels are worth."""

    @app.get("/api/status")
    def status() -> dict[str, Any]:
        """Return the progress of labels and training, and the learning curve."""
        session.watch_training()
        run = session.suggester.run
        return {
            "progress": session.progress(),
            "training": asdict(session.training.progress()),
            "curve": [asdict(point) for point in session.training.curve()],
            "run": run.name if run else "",
            "failure": session.suggester.failure,
            "order_failure": session.order.failure,
        }

    @app.get("/api/agreement", responses=error_responses(422))
    def agreement() -> dict[str, Any]:
        """Return the agreement of the annotators, and the texts that they differ about."""
        found, disputed = session.agreement()
        return {"agreements": [asdict(each) for each in found], "disputed": session.listed(disputed)}

    @app.post("/api/training", responses=error_responses(422, FULL))
    def train() -> dict[str, Any]:
        """Start a training."""
        return {"run": session.train()}

    @app.delete("/api/training")
    def stop() -> dict[str, Any]:
        """End the training."""
        session.stop_training()
        return {}


def _field(field: Field | RelationField, session: Session) -> dict[str, Any]:
    """Return a field as the page needs it."""
    shown = {
        "name": field.name,
        "kind": field.kind,
        "labels": list(field.labels),
        "descriptions": dict(session.task.descriptions.get(field.name, {})),
    }
    if isinstance(field, RelationField):
        return {**shown, "between": [list(pair) for pair in field.between], "symmetric": list(field.symmetric)}
    return {**shown, "tracks": field.has_tracks, "overlaps": field.counts_lost}


def _conflict(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Conflict)
    return error_response(CONFLICT, error.message, error.remedy)


def _changed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TaskChanged)
    return error_response(CHANGED, error.message, error.remedy)


def _not_written(_: Request, error: Exception) -> JSONResponse:
    """Answer to a save that the disk has not taken. Nothing was changed."""
    assert isinstance(error, OSError)
    if error.errno in FULL_DISK:
        remedy = "Make room and save again: what you have marked is still on the page."
        return error_response(FULL, "the disk is full; nothing was saved.", remedy)
    remedy = "Check the permissions of the folder, and save again: what you have marked is still on the page."
    return error_response(500, f"the file cannot be written ({error.strerror}); nothing was saved.", remedy)
