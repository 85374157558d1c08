"""Where templates and static files are, in a checkout and in an installed wheel, and under which URL they are served.

One hash over all static files is a segment of every static URL, so that modules and stylesheets may refer to each
other by relative path and everything can be cached for ever.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

FOREVER = "public, max-age=31536000, immutable"
PACKAGE = Path(__file__).resolve().parent.parent
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
}


def folder(name: str) -> Path:
    """`templates` or `static`: inside the package when installed, at the project's top level in a checkout."""
    for parent in (PACKAGE, PACKAGE.parent):
        if (parent / name).is_dir():
            return parent / name
    raise FileNotFoundError(f"the folder {name} is neither in {PACKAGE} nor beside it: the installation is not whole")


@lru_cache(maxsize=1)
def version() -> str:
    """Changes when any static file does."""
    digest = blake2b(digest_size=6)
    root = folder("static")
    for path in sorted(root.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _files() -> dict[str, Path]:
    root = folder("static")
    return {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}


async def serve(request: Request) -> Response:
    """Only files that were there at the start have a name here, so no path can lead out of the folder."""
    path = _files().get(request.path_params["path"])
    media_type = MEDIA_TYPES.get(path.suffix) if path else None
    if path is None or media_type is None:
        raise HTTPException(404)
    current = request.path_params["version"] == version()
    headers = {"cache-control": FOREVER if current else "no-cache", "x-content-type-options": "nosniff"}
    return FileResponse(path, media_type=media_type, headers=headers)
