"""API keys at a prompt: `keys create`, `keys list`, `keys revoke`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from latent.items import JSON
from latent.settings import Settings
from latent.terminal import command_options, console, out, print_json

if TYPE_CHECKING:
    from rich.table import Table

    from service.guard.keys import Key


@click.group()
def keys() -> None:
    """Who may ask the service, and for what."""


@keys.command()
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(["read", "write", "admin"]),
    default="read",
    show_default=True,
    help="What it may do: read, write (and read), or admin (and both).",
)
@click.option(
    "--collection",
    "collections",
    multiple=True,
    metavar="NAME",
    help="A collection it is for; may be given several times.",
)
@click.option("--rate", metavar="RATE", help="Requests it may make, as in 600/minute.")
@command_options
def create(
    settings: Settings,
    as_json: bool,
    *,
    name: str,
    scope: str,
    collections: Sequence[str],
    rate: str | None,
) -> None:
    """Make an API key called NAME, and print it: this once, for only its hash is kept."""
    from service.guard.keyring import Keyring
    from service.guard.keys import new_key
    from service.guard.scopes import Scope

    key, secret = new_key(name, Scope(scope), collections=collections, rate=rate)
    Keyring.of(settings).add(key)
    if as_json:
        print_json({**_told(key), "key": secret})
    else:
        console.print(f"the key {name!r}; it is not shown again:")
        out.print(secret, soft_wrap=True)


@keys.command("list")
@command_options
def list_keys(settings: Settings, as_json: bool) -> None:
    """List the keys, without what they are."""
    from service.guard.keyring import Keyring

    found = sorted(Keyring.of(settings).keys().values(), key=lambda key: key.name)
    if as_json:
        print_json({"keys": [_told(key) for key in found]})
    elif found:
        out.print(_table(found))
    else:
        console.print("there are no keys; make one with 'nearfield keys create NAME'")


@keys.command()
@click.argument("name")
@command_options
def revoke(settings: Settings, as_json: bool, *, name: str) -> None:
    """Take back the key called NAME; a service that is running refuses it at once."""
    from service.guard.keyring import Keyring

    keyring = Keyring.of(settings)
    keyring.remove(name)
    left = sorted(key.name for key in keyring.keys().values())
    if as_json:
        print_json({"revoked": name, "keys": list(left)})
    else:
        console.print(f"revoked {name!r}; left: {', '.join(left) or 'none, so nobody is let in'}")


def _told(key: Key) -> dict[str, JSON]:
    """What is told of a key."""
    return {
        "name": key.name,
        "scope": key.scope.value,
        "collections": None if key.collections is None else list(key.collections),
        "rate": key.rate,
        "created": key.created,
    }


def _table(found: Sequence[Key]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("name", "scope", "collections", "rate", "created")
    for key in found:
        for_what = "all" if key.collections is None else ", ".join(key.collections)
        table.add_row(key.name, key.scope.value, Text(for_what), key.rate or "", key.created)
    return table
