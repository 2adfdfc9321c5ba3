"""Pages from elsewhere that a browser of this machine shows, and that ask in its name.

A service without keys trusts whoever reaches it, and a browser reaches this machine for any page.
Two ways are shut: a name of the page's own that it lets lead here (DNS rebinding), and a form or
script that sends to another host than its own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from fastapi import Request

from latent.errors import AccessError

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def refuse_strangers(request: Request, origins: Sequence[str], *, by_name: bool) -> None:
    """Keep out what a browser sends for a page of another host.

    Args:
        origins: those whose pages may ask.
        by_name: also refuse to be called by a name that anybody could let lead here.

    Raises:
        AccessError: it is such a request.
    """
    host = request.headers.get("host", "")
    if by_name and not is_ours(host):
        raise AccessError(
            f"this service is not called {host[:100]!r}; reach it by its address, or start it "
            "with keys or --without-keys"
        )
    origin = request.headers.get("origin")
    is_elsewhere = origin is not None and origin.partition("://")[2].lower() != host.lower()
    if is_elsewhere and origin not in origins and request.method not in _SAFE:
        raise AccessError("a page of another host may not send anything here")


@lru_cache  # clients call it the same each time
def is_ours(host: str) -> bool:
    """Whether a `Host` is an address, `localhost`, or a name no stranger can own (without dots)."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:  # brackets around what is no address
        return False
    if name == "localhost" or name.endswith(".localhost") or "." not in name:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
