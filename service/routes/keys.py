"""Keys: hand out, list, take back; for those whose key administers all collections."""

from __future__ import annotations

import logging
from typing import Annotated

from pydantic import BaseModel, Field

from service.answers import DeletedAnswer
from service.guard.administrators import keyring_for, require_an_administrator
from service.guard.keys import Key, new_key
from service.guard.scopes import Scope, needs
from service.routes.asking import SearchDeskNow, router
from service.schemas import example

log = logging.getLogger(__name__)
routes = router("administration")


class KeyBody(BaseModel):
    """A key to make."""

    model_config = example(name="operator", scope="admin")

    name: str = Field(description="Letters, digits, '_', '-' and '.'; at most 100.")
    scope: Scope = Field(Scope.READ, description="What it may do; who may write may read too.")
    collections: list[Annotated[str, Field(min_length=1, max_length=100)]] | None = Field(
        None, min_length=1, max_length=1000, description="Those it is for; by default all."
    )
    rate: str | None = Field(None, description="Requests it may make, as in 600/minute.")


class KeyAnswer(BaseModel):
    """What is known of a key; not the key itself."""

    name: str
    scope: Scope
    collections: list[str] | None = Field(description="Those it is for; null for all.")
    rate: str | None
    created: str

    @classmethod
    def of(cls, key: Key) -> KeyAnswer:
        return cls(
            name=key.name,
            scope=key.scope,
            collections=None if key.collections is None else list(key.collections),
            rate=key.rate,
            created=key.created,
        )


class NewKeyAnswer(KeyAnswer):
    """A key that was made, this once with the key itself."""

    key: str = Field(description="To be sent; only its hash is kept, so it is not shown again.")


class KeysAnswer(BaseModel):
    """All keys, by name."""

    keys: list[KeyAnswer]


@routes.get("/v1/keys", response_model=KeysAnswer, openapi_extra=needs(Scope.ADMIN, of_all=True))
async def list_keys(desk: SearchDeskNow) -> KeysAnswer:
    """All keys, by name; never what they are."""
    known = await desk.run(keyring_for(desk.state.settings).keys)
    found = sorted(known.values(), key=lambda key: key.name)
    return KeysAnswer(keys=[KeyAnswer.of(key) for key in found])


@routes.post("/v1/keys", response_model=NewKeyAnswer, openapi_extra=needs(Scope.ADMIN, of_all=True))
async def make_key(body: KeyBody, desk: SearchDeskNow) -> NewKeyAnswer:
    """Make a key. The first one must be of scope admin, and from then on all requests need one."""
    keyring = keyring_for(desk.state.settings)
    key, secret = new_key(body.name, body.scope, collections=body.collections or (), rate=body.rate)
    await desk.run(keyring.add, key, check=require_an_administrator)
    log.info("the key %r of scope %s was made", key.name, key.scope)
    return NewKeyAnswer(**KeyAnswer.of(key).model_dump(), key=secret)


@routes.delete(
    "/v1/keys/{name}", response_model=DeletedAnswer, openapi_extra=needs(Scope.ADMIN, of_all=True)
)
async def delete_key(name: str, desk: SearchDeskNow) -> DeletedAnswer:
    """Take a key back; it is refused at once. The last that administers everything stays."""
    keyring = keyring_for(desk.state.settings)
    await desk.run(keyring.remove, name, check=require_an_administrator)
    log.info("the key %r was taken back", name)
    return DeletedAnswer(deleted=name)
