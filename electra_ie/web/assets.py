"""Files that pages load: style sheets and scripts of the package, kept in memory, under /static/NAME."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files

from fastapi import FastAPI, Request
from fastapi.responses import Response

from electra_ie.web.errors import RequestError

TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
"""The files that are served, by their ending, and their types."""
SHARED = {"electra_ie.inference": ("base.css",), "electra_ie.web": ("static",)}


@dataclass(frozen=True)
class Asset:
    """A file that a page loads: its bytes, its type, and a tag that changes with its bytes."""

    content: bytes
    type: str
    tag: str


def add_assets(app: FastAPI, package: str, *names: str) -> None:
    """Serve files of a package under /static/NAME.

    Args:
        app: The application, of `web.app.create_app`.
        package: The package, such as `electra_ie.labeling`.
        names: Files of it, or folders, whose style sheets, scripts and drawings are all served.

    Raises:
        ValueError: Another file has that name.
    """
    for name in names:
        source = files(package) / name
        for file in source.iterdir() if source.is_dir() else [source]:
            ending = file.name.rpartition(".")[2]
            if ending not in TYPES:
                continue
            content = file.read_bytes()
            if app.state.assets.get(file.name, Asset(content, "", "")).content != content:
                raise ValueError(f"two files are named {file.name}")
            app.state.assets[file.name] = Asset(content, TYPES[ending], f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def page(package: str, name: str) -> str:
    """Return a page of a package, such as `static/page.html`, as an endpoint answers with (`HTMLResponse`)."""
    return (files(package) / name).read_text("utf-8")


def add_static_route(app: FastAPI) -> None:
    """Serve the files that all pages share, and those that `add_assets` adds."""
    app.state.assets = {}
    for package, names in SHARED.items():
        add_assets(app, package, *names)

    @app.get("/static/{name}", include_in_schema=False)
    async def asset(name: str, request: Request) -> Response:
        found = app.state.assets.get(name)
        if found is None:
            raise RequestError(404, "there is no such file.")
        # The browser asks each time, so that a page never has the script of another version.
        headers = {"ETag": found.tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == found.tag:
            return Response(status_code=304, headers=headers)
        return Response(found.content, headers=headers, media_type=found.type)
