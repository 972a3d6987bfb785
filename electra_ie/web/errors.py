"""Errors of a server as answers: one JSON shape for all of them, which never repeats what the client sent."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, BaseModel, Field
from starlette.exceptions import HTTPException

from electra_ie.common.errors import MAX_SHOWN, UserError
from electra_ie.common.escaping import escape_controls

COMMON = (400, 401, 403, 408, 413, 421, 500)
"""The statuses that every request may be answered with, whatever its path (`web.guard`)."""


def _without_surrogates(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("a string has a lone surrogate, which is not a character") from None
    return text


Unicode = Annotated[str, AfterValidator(_without_surrogates)]
"""A string of a request. JSON can write a lone surrogate, which no tokenizer and no file accepts."""


class Fault(BaseModel):
    """What is wrong with one value of a request."""

    where: str = Field(description="The path of the value in the request, such as `body.documents.2.text`.")
    message: str = Field(description="What was expected.")


class ErrorBody(BaseModel):
    """What failed."""

    status: int = Field(description="The status of the answer.")
    message: str = Field(description="What failed and what was expected.")
    remedy: str = Field("", description="How to fix it; empty if nothing can be said.")
    faults: list[Fault] = Field([], description="The values of the request that are wrong, for status 422.")


class ErrorAnswer(BaseModel):
    """The answer to a request that failed."""

    error: ErrorBody


class RequestError(HTTPException):
    """Error that an endpoint answers with: `raise RequestError(404, "there is no such text.", "Load the page again.")`.

    Args:
        status: The status of the answer.
        message: What failed. It must not contain text of a user.
        remedy: How to fix it.
        headers: Headers of the answer, such as Retry-After.
    """

    def __init__(self, status: int, message: str, remedy: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, message, dict(headers or {}))
        self.remedy = remedy


def error_response(
    status: int,
    message: str,
    remedy: str = "",
    faults: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return the answer to a request that failed, as `ErrorAnswer` describes it."""
    body = {"status": status, "message": message, "remedy": remedy, "faults": [*map(dict, faults)]}
    return JSONResponse({"error": body}, status, dict(headers or {}))


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of an endpoint for the schema: those statuses, and the common ones."""
    return {
        status: {"model": ErrorAnswer, "description": HTTPStatus(status).phrase}
        for status in sorted({*COMMON, *statuses})
    }


def described(error: BaseException) -> str:
    """Return the type and place of an error, for logs: its message could quote a text."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}"


def add_error_handlers(app: FastAPI) -> None:
    """Give all errors of an application the one shape."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(UserError, _refused)


def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    message = error.detail if isinstance(error.detail, str) else HTTPStatus(error.status_code).phrase
    return error_response(error.status_code, message, getattr(error, "remedy", ""), headers=error.headers)


def _invalid(_: Request, error: Exception) -> JSONResponse:
    """Answer to a request that is not as the schema says, without the values that it has."""
    assert isinstance(error, RequestValidationError)
    if isinstance(error.body, bytes):  # a body is parsed only if its type is JSON: other web pages cannot send that
        remedy = "Send the header Content-Type: application/json, and JSON in UTF-8."
        return error_response(415, "the Content-Type of the body is not JSON.", remedy)
    for fault in error.errors():
        if fault["type"] == "json_invalid":
            message = f"the body is not JSON from position {fault['loc'][-1]} on."
            return error_response(400, message, "Correct the JSON at this place.")
    faults = [
        {"where": escape_controls(".".join(map(str, fault["loc"]))), "message": _expected(fault)}
        for fault in error.errors()[:MAX_SHOWN]
    ]
    return error_response(422, "the request is not as the schema says.", "See /openapi.json.", faults)


def _expected(fault: Mapping[str, Any]) -> str:
    """Return the message of a fault without what the request has: some messages of pydantic quote it."""
    return re.sub(r", (got|input) .*", "", str(fault["msg"]), flags=re.S)


def _refused(_: Request, error: Exception) -> JSONResponse:
    """Answer with an error of the user, and the name of the file that it is in, without its folder."""
    assert isinstance(error, UserError)
    line = f":{error.line}" if error.line else ""
    where = f"{Path(error.file).name}{line}: " if error.file else ""
    return error_response(422, escape_controls(where) + error.message, error.remedy)
