"""Which addresses may be connected to: those of the public internet, checked before connecting.

A name is looked up once, and what is connected to is the address that was checked: whatever the
name leads to a moment later (DNS rebinding) does not matter. Knows nothing about URLs and pictures.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from httpcore2 import (
    SOCKET_OPTION,
    AnyIOBackend,
    AsyncNetworkBackend,
    AsyncNetworkStream,
    ConnectError,
    ConnectTimeout,
)

from latent.errors import FetchError

Address: TypeAlias = IPv4Address | IPv6Address
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]

_INTERNET = ipaddress.ip_network("2000::/3")  # all that was ever given out of IPv6
_NOT_OURS = [
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",  # special purposes (RFC 6890); older Pythons know a part of it
        "192.88.99.0/24",  # relays of 6to4 (RFC 7526)
        "2001::/23",  # special purposes, Teredo among them (RFC 6890): they carry IPv4 addresses
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries an IPv4 address (RFC 3056)
        "3fff::/20",  # documentation (RFC 9637)
    )
]


def is_public(address: Address) -> bool:
    """Whether it is an address of the internet that carries no other one within it.

    Python's own tables, and what those of older versions lack. NAT64 (64:ff9b::/96), IPv4 in IPv6
    (::ffff:0:0/96, ::/96) and site-local addresses are outside of 2000::/3.
    """
    if isinstance(address, IPv6Address) and address not in _INTERNET:
        return False
    special = address.is_multicast or address.is_reserved or address.is_unspecified
    return address.is_global and not special and not any(address in one for one in _NOT_OURS)


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as this machine finds them."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(one[4][0]) for one in found]


class CheckedNetwork(AsyncNetworkBackend):
    """Connects to hosts all of whose addresses may be connected to, and to nothing else."""

    def __init__(
        self,
        resolve: Resolve = resolve,
        *,
        allows: Callable[[Address], bool] = is_public,
        network: AsyncNetworkBackend | None = None,
    ) -> None:
        self._resolve = resolve
        self._allows = allows
        self._network = network or AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """Connect to the first address of the host that answers.

        Raises:
            FetchError: it has no address, or one that is not public.
        """
        refused: Exception | None = None
        for address in await self._checked(host, port):
            try:
                return await self._network.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (ConnectError, ConnectTimeout) as error:
                refused = error
        raise FetchError(f"{host} cannot be reached") from refused

    async def _checked(self, host: str, port: int) -> list[Address]:
        try:
            found = await self._resolve(host, port)
            addresses = [ipaddress.ip_address(text) for text in dict.fromkeys(found)]
        except (OSError, ValueError) as error:  # UnicodeError is one, and so is `fe80::1%eth0`
            raise FetchError(f"{host} cannot be found") from error
        if not addresses:
            raise FetchError(f"{host} cannot be found")
        if not all(self._allows(address) for address in addresses):
            # One is enough: a name that leads in and out is not to be trusted.
            raise FetchError(f"{host} does not lead to the public internet")
        return addresses
