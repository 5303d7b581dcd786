"""The browser app's files: what the static site consists of, served from memory.

``page/`` holds plain files that refer to one another by relative addresses, so that they work
under any path, behind a proxy that adds one included.
"""

import functools
import hashlib
import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

FOLDER = Path(__file__).parent / "page"
INDEX = "index.html"
#: Where this machine's table of types says nothing, or something else.
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
}
#: What link previews show; they want to know where it is as a whole address.
PREVIEW_PICTURE = b'content="icons/share.jpg"'

#: The page runs its own modules and nothing else: no inline scripts, no evaluation, no other host.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "connect-src 'self' blob:",
        "manifest-src 'self'",
        "frame-ancestors 'self'",
        "form-action 'none'",
        "base-uri 'none'",
    )
)


@dataclass(frozen=True)
class PageFile:
    """A file as it is sent.

    Attributes:
        content: its bytes.
        media_type: what it is.
        etag: by which browsers ask whether it has changed.
    """

    content: bytes
    media_type: str
    etag: str


class PageRoute(BaseRoute):
    """Answers the paths of the page's files, and no other: those after it get theirs."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether the path is one of the page's."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return Match.NONE, {}
        return (Match.FULL if _name(scope) in page_files() else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, or that it has not changed."""
        file = page_files()[_name(scope)]
        request = Request(scope)
        headers = {
            "cache-control": "no-cache",  # asked for again each time, sent only where it changed
            "content-security-policy": CONTENT_SECURITY_POLICY,
            "etag": file.etag,
        }
        content = file.content
        if _name(scope) == INDEX:
            picture = f'content="{request.base_url}icons/share.jpg"'
            content = content.replace(PREVIEW_PICTURE, picture.encode())
        if request.headers.get("if-none-match") == file.etag:
            response = Response(status_code=304, headers=headers)
        else:
            response = Response(content, headers=headers, media_type=file.media_type)
        await response(scope, receive, send)


@functools.cache
def page_files() -> dict[str, PageFile]:
    """Return the files by their paths below the page's folder."""
    return {
        path.relative_to(FOLDER).as_posix(): _read(path)
        for path in sorted(FOLDER.rglob("*"))
        if path.is_file() and not path.name.startswith((".", "_")) and path.suffix != ".py"
    }


def modules() -> Iterator[Path]:
    """Yield the page's scripts."""
    yield from sorted(FOLDER.rglob("*.js"))


def _read(path: Path) -> PageFile:
    content = path.read_bytes()
    guessed, _ = mimetypes.guess_type(path.name)
    return PageFile(
        content=content,
        media_type=MEDIA_TYPES.get(path.suffix, guessed or "application/octet-stream"),
        etag=f'"{hashlib.sha256(content).hexdigest()[:20]}"',
    )


def _name(scope: Scope) -> str:
    path = str(scope["path"])
    root = str(scope.get("root_path", ""))
    if root and path.startswith(root):
        path = path[len(root) :]
    return path.lstrip("/") or INDEX
