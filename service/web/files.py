"""The page at /: HTML, style and small ES modules, read from the package once and kept.

Nothing of it is made anew for a request, and nothing is loaded from another host. Knows nothing
about what the page asks for: that goes through the endpoints that everybody has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

INDEX = "index.html"
TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",  # pictures that were dropped; those fetched with a key
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""What the page may load: its own, and pictures it was given. No script but its files runs."""


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is sent; `mark` changes with its content."""

    content: bytes
    media_type: str
    mark: str


def page_files() -> Mapping[str, File]:
    """All files of the page, by name."""
    found = {}
    for path in files("service.web").joinpath("page").iterdir():
        kind = path.name.rpartition(".")[2]
        if kind in TYPES:
            content = path.read_bytes()
            mark = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            found[path.name] = File(content, TYPES[kind], mark)
    return found
