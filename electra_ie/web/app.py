"""The application of a local server: with its protections, its shared files, its errors, and the page to sign in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any

from fastapi import FastAPI, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from electra_ie.common.hashing import package_version
from electra_ie.web.access import Access
from electra_ie.web.assets import add_static_route, page
from electra_ie.web.errors import add_error_handlers
from electra_ie.web.guard import Guard, Limits

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    title: str, access: Access, *, limits: Limits | None = None, lifespan: Lifespan | None = None, description: str = ""
) -> FastAPI:
    """Return an application without endpoints but /static/NAME, /sign-in and /openapi.json.

    Args:
        title: Its title in the schema.
        access: Who may send requests.
        limits: The limits of a request.
        lifespan: What is done before the first request and after the last, as FastAPI takes it.
        description: Its description in the schema.

    The pages of FastAPI that show the schema are off: they load scripts from elsewhere.
    """
    app = FastAPI(
        title=title,
        description=description,
        version=package_version(),
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        separate_input_output_schemas=False,
    )
    app.state.access = access
    app.add_middleware(Guard, access=access, limits=limits or Limits())
    add_error_handlers(app)
    add_static_route(app)
    _add_sign_in(app, access)
    if access.token is not None:
        _describe_token(app)
    return app


def _describe_token(app: FastAPI) -> None:
    """Say in the schema that requests need the token."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        schema = plain()
        scheme = {"token": {"type": "http", "scheme": "bearer"}}
        schema.setdefault("components", {})["securitySchemes"] = scheme
        schema["security"] = [{"token": []}]
        return schema

    app.openapi = openapi  # type: ignore[method-assign] # as FastAPI documents it


def _add_sign_in(app: FastAPI, access: Access) -> None:
    """Add the page to sign in: by the link that works once, or by the token."""
    content = page("electra_ie.web", "static/sign_in.html")

    def signed_in() -> Response:
        answer = RedirectResponse("/", 303)
        answer.set_cookie(access.cookie, access.new_session(), httponly=True, samesite="strict", path="/")
        return answer

    def refused(message: str) -> Response:
        return HTMLResponse(content.replace("<!-- message -->", message), 401 if message else 200)

    @app.get("/sign-in", include_in_schema=False)
    async def show(request: Request) -> Response:
        key = request.query_params.get("key")
        if access.token is None:
            return RedirectResponse("/", 303)
        if key is None:
            return refused("")
        return signed_in() if access.use_key(key) else refused("This link has been used. Sign in with the token.")

    @app.post("/sign-in", include_in_schema=False)
    async def sign_in(token: Annotated[str, Form()] = "") -> Response:
        return signed_in() if access.is_token(token.strip()) else refused("This is not the token.")
