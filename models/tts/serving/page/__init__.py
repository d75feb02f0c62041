"""The page at `/`: a form for the speech endpoint, as plain files that ask nobody but this server for anything."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_MEDIA = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache",
}  # fmt: skip


def page_routes() -> list[Route]:
    """A route for each file, which is read now: no request reads one."""
    return [_route(file) for file in sorted(Path(__file__).parent.iterdir()) if file.suffix in _MEDIA]


def _route(file: Path) -> Route:
    content, media = file.read_bytes(), _MEDIA[file.suffix]

    async def answer(request: Request) -> Response:
        return Response(content, media_type=media, headers=_HEADERS)

    return Route("/" if file.name == "index.html" else f"/page/{file.name}", answer)
