"""Pictures of other hosts: nothing is connected to but what was named and checked."""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from httpcore2 import SOCKET_OPTION, AnyIOBackend, AsyncNetworkBackend, AsyncNetworkStream
from hypothesis import given
from hypothesis import strategies as st

from latent.errors import FetchError, ImageTooLargeError, InputError
from service.fetching.addresses import CheckedNetwork, is_public
from service.fetching.fetch import MOST, Fetcher
from service.fetching.places import allowed, place_of

HOST = "pictures.example"
PUBLIC = "93.184.215.14"
INWARD = """
127.0.0.1 127.1.2.3 0.0.0.0 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 192.0.0.8
192.0.0.9 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 192.0.2.1 192.88.99.1
::1 :: fe80::1 fec0::1 fc00::1 fd00:ec2::254 ff02::1 2001:db8::1 3fff::1
::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:93.184.215.14 ::127.0.0.1 ::ffff:0:127.0.0.1
64:ff9b::7f00:1 64:ff9b::a00:1 64:ff9b:1::7f00:1 2002:7f00:1:: 2002:a00:1::1 2001:0:7f00:1::1
"""
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Counting(AsyncNetworkBackend):
    """Counts what is connected to, and lets it lead to a server of the test."""

    def __init__(self, port: int = 0) -> None:
        self.asked: list[str] = []
        self._port = port

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        self.asked.append(host)
        return await AnyIOBackend().connect_tcp("127.0.0.1", self._port, timeout)


@dataclass
class Names:
    """Leads every name to the addresses it is given, each time to the next of them."""

    answers: Sequence[Sequence[str]]
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


def fetcher(network: CheckedNetwork, hosts: str = HOST, *, seconds: float = 30) -> Fetcher:
    return Fetcher(
        allowed(hosts),
        max_bytes=1_000,
        max_bytes_at_once=2_500,
        seconds=seconds,
        network=network,
    )


def fetched(
    *urls: str, names: Names, sockets: Counting, seconds: float = 30
) -> list[bytes | InputError]:
    network = CheckedNetwork(names, network=sockets)
    return asyncio.run(fetcher(network, seconds=seconds).fetch_all(urls))


# --- addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize("address", INWARD.split())
def test_a_name_that_leads_inward_is_not_connected_to(address: str) -> None:
    """Alone, and before and behind an address that could be."""
    for answer in ([address], [PUBLIC, address], [address, PUBLIC]):
        names, sockets = Names([answer]), Counting()
        (found,) = fetched(f"http://{HOST}/a.png", names=names, sockets=sockets)
        assert isinstance(found, FetchError)
        assert "public internet" in str(found)
        assert not sockets.asked


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700::1111", "2a00:1450::1"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@given(st.ip_addresses(v=6), st.ip_addresses(v=4))
def test_no_address_that_carries_an_inward_one_is_public(
    around: ipaddress.IPv6Address, inner: ipaddress.IPv4Address
) -> None:
    """However IPv4 is put into IPv6, only what needs no translation can be public."""
    number = int(inner)
    for prefix, shift in (
        (0xFFFF << 32, 0),
        (0, 0),
        (0x64FF9B << 96, 0),
        (0x2002 << 112, 80),
        (0x20010000 << 96, 64),
        (0x64FF9B0001 << 80, 0),
    ):
        assert not is_public(ipaddress.IPv6Address(prefix | number << shift))
    if is_public(around):
        assert around.ipv4_mapped is None and around.sixtofour is None and around.teredo is None


def test_what_was_checked_is_connected_to_and_the_name_is_asked_once() -> None:
    """A name that leads elsewhere the second time gains nothing (DNS rebinding)."""

    async def ask() -> tuple[bytes | InputError, Names, Counting]:
        async with serving(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")) as port:
            names, sockets = Names([[PUBLIC], ["127.0.0.1"]]), Counting(port)
            network = CheckedNetwork(names, network=sockets)
            (found,) = await fetcher(network).fetch_all([f"http://{HOST}/a.png"])
            return found, names, sockets

    found, names, sockets = asyncio.run(ask())
    assert found == b"abc"
    assert names.asked == [HOST]
    assert sockets.asked == [PUBLIC]


@pytest.mark.parametrize("answer", [[], ["nonsense"], ["fe80::1%eth0"]])
def test_a_name_that_leads_nowhere_is_one_line(answer: list[str]) -> None:
    sockets = Counting()
    (found,) = fetched(f"http://{HOST}/", names=Names([answer]), sockets=sockets)
    assert isinstance(found, FetchError)
    assert not sockets.asked


# --- URLs ---------------------------------------------------------------------------------------

NOT_LISTED = f"""
http://other.example/a http://{HOST}.evil.example/ http://evil.example/{HOST} http://{HOST}:22/
http://127.0.0.1/ http://[::1]/ http://0x7f.1/ http://2130706433/ http://localhost/
http://{HOST}@evil.example/ http://evil.example#@{HOST}/ http://evil.example\\@{HOST}/
http://user:word@{HOST}/ https://{HOST}:80/ http://{HOST}:99999/ http://[{HOST}]/ http:///a http://
http://{HOST}%2eevil.example/ http://xn--e1awd7f.example/ http://picturеs.example/
""".split()


@pytest.mark.parametrize("url", [*NOT_LISTED, f"http://{HOST}/ a", f"http://{HOST}/\r\nHost: x"])
def test_what_is_not_exactly_of_a_listed_host_is_not_even_looked_up(url: str) -> None:
    names, sockets = Names([[PUBLIC]]), Counting()
    (found,) = fetched(url, names=names, sockets=sockets)
    assert isinstance(found, FetchError)
    assert not names.asked
    assert not sockets.asked


@pytest.mark.parametrize("scheme", ["file", "ftp", "gopher", "data", "dict", "ldap", "unix", ""])
def test_other_schemes_are_not_fetched(scheme: str) -> None:
    with pytest.raises(FetchError):
        place_of(f"{scheme}://{HOST}/etc/passwd", allowed(HOST))
    assert not Fetcher(allowed(HOST)).fetches(f"{scheme}://{HOST}/etc/passwd")


def test_nothing_is_fetched_by_default() -> None:
    assert not Fetcher().fetches(f"http://{HOST}/a.png")
    assert not Fetcher(allowed(None)).is_on
    assert Fetcher(allowed(HOST)).fetches(f"HTTPS://{HOST}/a.png")


def test_entries_are_hosts_all_below_one_or_with_a_port() -> None:
    hosts = allowed(f"{HOST.upper()}, *.photos.example ,odd.example:8443,[2606:4700::1111]")
    for url in (
        f"https://{HOST}/a?b=c#d",
        f"http://{HOST}.:80/",
        "https://a.photos.example/",
        "https://b.a.photos.example/",
        "http://odd.example:8443/",
        "http://[2606:4700::1111]/",
    ):
        assert place_of(url, hosts)
    for url in ("https://photos.example/", "https://odd.example/", "https://xphotos.example/"):
        with pytest.raises(FetchError, match="NEARFIELD_FETCH_HOSTS"):
            place_of(url, hosts)
    assert place_of(f"https://{HOST}/a?b=c#d", hosts).target == "/a?b=c"


@pytest.mark.parametrize("text", ["*", "*.", "https://a.example", "a.example/b", "a@b", "a:b", "."])
def test_what_is_no_host_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(InputError, match="NEARFIELD_FETCH_HOSTS"):
        allowed(text)


def test_a_request_has_only_so_many() -> None:
    urls = [f"http://{HOST}/{n}" for n in range(MOST + 1)]
    names, sockets = Names([["127.0.0.1"]]), Counting()
    with pytest.raises(InputError, match="at most 32"):
        fetched(*urls, names=names, sockets=sockets)
    assert not names.asked


# --- answers ------------------------------------------------------------------------------------


def answers(content: bytes) -> Serve:
    """A server that reads a request, answers this, and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(content)
        await writer.drain()

    return serve


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A body without an end, as fast as it is taken."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"64\r\n" + b"x" * 100 + b"\r\n")
        await writer.drain()


async def endless_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in itertools.count():
        writer.write(b"X-%d: y\r\n" % number)
        await writer.drain()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A byte now and then: no single read ever takes long."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """A server on this machine; its port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def asked(serve: Serve, *, times: int = 1, seconds: float = 30) -> list[bytes | InputError]:
    async def ask() -> list[bytes | InputError]:
        async with serving(serve) as port:
            network = CheckedNetwork(Names([[PUBLIC]]), network=Counting(port))
            urls = [f"http://{HOST}/{n}" for n in range(times)]
            return await fetcher(network, seconds=seconds).fetch_all(urls)

    return asyncio.run(ask())


def ok(body: bytes) -> Serve:
    return answers(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def test_a_picture_of_just_the_limit_is_fetched() -> None:
    assert asked(ok(b"x" * 1_000)) == [b"x" * 1_000]
    (found,) = asked(ok(b"x" * 1_001))
    assert isinstance(found, ImageTooLargeError)


def test_all_pictures_of_a_request_have_a_limit_together() -> None:
    found = asked(ok(b"x" * 900), times=4)
    assert sum(isinstance(one, bytes) for one in found) == 2
    assert sum(isinstance(one, ImageTooLargeError) for one in found) == 2


def test_a_body_without_an_end_is_left() -> None:
    (found,) = asked(endless)
    assert isinstance(found, ImageTooLargeError)


@pytest.mark.parametrize("serve", [silent, slow])
def test_the_time_is_for_the_whole_and_not_for_each_read(serve: Serve) -> None:
    (found,) = asked(serve, seconds=0.2)
    assert isinstance(found, FetchError)
    assert "took more than 0.2 seconds" in str(found)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    head = b"HTTP/1.1 %d Go\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n" % status

    async def ask() -> tuple[bytes | InputError, Counting, Names]:
        async with serving(answers(head)) as port:
            names, sockets = Names([[PUBLIC]]), Counting(port)
            network = CheckedNetwork(names, network=sockets)
            (found,) = await fetcher(network).fetch_all([f"http://{HOST}/"])
            return found, sockets, names

    found, sockets, names = asyncio.run(ask())
    assert "redirects are not followed" in str(found)
    assert (sockets.asked, names.asked) == ([PUBLIC], [HOST])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_an_answer_that_is_none_is_one_line(content: bytes) -> None:
    (found,) = asked(answers(content))
    assert isinstance(found, FetchError)


def test_a_head_without_an_end_is_left() -> None:
    (found,) = asked(endless_head)
    assert isinstance(found, FetchError)


def test_what_is_packed_stays_packed() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"
    assert asked(answers(head)) == [b"abc"]


def test_one_that_is_not_fetched_keeps_no_other_from_it() -> None:
    async def ask() -> list[bytes | InputError]:
        async with serving(ok(b"abc")) as port:
            network = CheckedNetwork(Names([[PUBLIC]]), network=Counting(port))
            return await fetcher(network).fetch_all(["http://no.example/", f"http://{HOST}/"])

    refused, found = asyncio.run(ask())
    assert isinstance(refused, FetchError)
    assert found == b"abc"
