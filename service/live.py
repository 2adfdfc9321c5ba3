"""Live items: what a request gives becomes items of a collection, each for itself.

What is wrong with one item is told about that one and keeps no other from being stored.
Knows nothing about bodies and responses.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from latent.collection import Collection
from latent.errors import InputError, NearfieldError, SpaceMismatchError, UnknownItemError
from latent.items import JSON, Item, Metadata, Modality, Vector
from latent.models.places import without_places
from latent.space import unit_row
from service.checks.looks import hash_of_picture
from service.desk import SearchDesk
from service.embedding.pictures import picture_bytes
from service.engine.parts import Picture, Text, Thing, coordinates
from service.explore import pictures


@dataclass(frozen=True, slots=True)
class Given:
    """An item as a request gave it. One of `text`, `image` and `vector` is embedded or taken.

    A `text` beside an image or a vector is kept and shown with it.
    """

    id: str
    text: str | None = None
    image: str | bytes | InputError | None = None  # an error: it could not be fetched
    vector: Sequence[float] | None = None
    modality: Modality | None = None
    metadata: Metadata = field(default_factory=dict)
    uri: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """An item that only lacks its place; `what` is a vector when the request brought one."""

    given: Given
    what: Thing | Vector
    modality: Modality
    content_hash: str

    def placed(self, vector: Vector, look: str | None = None) -> Item:
        """The item, at its place; `look` is its picture hash."""
        given = self.given
        return Item(
            id=given.id,
            modality=self.modality,
            vector=vector,
            uri=given.id if given.uri is None else given.uri,
            text=given.text,
            metadata=given.metadata,
            content_hash=self.content_hash,
            picture_hash=look,
        )

    def is_same_as(self, item: Item | None) -> bool:
        """Whether the stored item says the same already."""
        if item is None:
            return False
        wanted = self.placed(item.vector)
        return _written(wanted.metadata) == _written(item.metadata) and all(
            getattr(wanted, name) == getattr(item, name)
            for name in ("content_hash", "modality", "text", "uri")
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item: `indexed`, `unchanged`, or `failed` with its error."""

    id: str
    status: str
    error: NearfieldError | None = None


def draft(given: Given) -> Draft:
    """Check an item and find out what must be placed.

    Raises:
        InputError: it has nothing to place, too much, or a picture that is none.
    """
    if isinstance(given.image, InputError):
        raise given.image
    if given.image is not None and given.vector is not None:
        raise InputError("an item has an image or a vector, not both")
    if given.vector is not None:
        if given.modality is None:
            raise InputError("an item with a vector must say its modality: image or text")
        row = coordinates(given.vector)
        return Draft(given, row, given.modality, _hash(row.tobytes()))
    modality = Modality.TEXT if given.image is None else Modality.IMAGE
    if given.modality not in (None, modality):
        raise InputError(f"the item is a {modality}, but its modality says {given.modality}")
    if given.image is not None:
        content = picture_bytes(given.image)
        return Draft(given, Picture(content, given.uri or given.id), modality, _hash(content))
    if given.text is None:
        raise InputError("an item needs a text, an image or a vector")
    return Draft(given, Text(given.text), modality, _hash(given.text.encode()))


async def fetched(desk: SearchDesk, items: Sequence[Given]) -> list[Given]:
    """The items, with pictures in the place of the URLs that may be fetched.

    Raises:
        InputError: they are too many.
    """
    urls = [str(one.image) for one in items if desk.fetcher.fetches(one.image)]
    if not urls:
        return list(items)
    found = iter(await desk.fetcher.fetch_all(urls))
    return [
        replace(one, image=next(found)) if desk.fetcher.fetches(one.image) else one for one in items
    ]


async def put(desk: SearchDesk, name: str, items: Sequence[Given]) -> tuple[list[Outcome], int]:
    """Store items in one transaction; gives an outcome for each, in order, and the sequence.

    Raises:
        UnknownCollectionError: no collection has that name.
        InputError: nothing was given, or more than the limit.
    """
    desk.require_few(items, "items")
    collection = await desk.collection(name)
    drafts = await desk.run(_drafts, items)
    stored = await desk.run(collection.find, [given.id for given in items])
    changed = {
        i: one
        for i, one in drafts.items()
        if isinstance(one, Draft) and not one.is_same_as(stored.get(one.given.id))
    }
    places = await _places(desk, collection, changed)
    placed = {i: place for i, place in places.items() if not isinstance(place, NearfieldError)}
    looks = await _looks(desk, {i: changed[i] for i in placed})
    ready = [changed[i].placed(place, looks.get(i)) for i, place in placed.items()]
    await _keep(desk, collection, dict(zip(placed, ready, strict=True)), changed)
    with desk.timings.measure("catalog"):
        replaced = [stored[item.id] for item in ready if item.id in stored]
        sequence = await desk.run(_store, collection, ready, replaced)
    outcomes = [_outcome(given.id, drafts[i], places.get(i)) for i, given in enumerate(items)]
    return outcomes, sequence


async def drop(desk: SearchDesk, name: str, item_id: str) -> None:
    """Remove one item, and what was kept of its picture.

    Raises:
        UnknownCollectionError, UnknownItemError: it is not there.
    """
    collection = await desk.collection(name)
    await desk.run(_dropped, collection, item_id)


def _dropped(collection: Collection, item_id: str) -> None:
    (item,) = collection.get([item_id])
    if not collection.drop([item_id]):
        raise UnknownItemError(collection.name, item_id)
    pictures.forget(collection, item)


def _drafts(items: Sequence[Given]) -> dict[int, Draft | InputError]:
    """A draft of each item, or why there is none; an id counts once."""
    drafts: dict[int, Draft | InputError] = {}
    seen: set[str] = set()
    for i, given in enumerate(items):
        try:
            if given.id in seen:
                raise InputError(f"the id {given.id!r} occurs twice in this request")
            drafts[i] = draft(given)
            seen.add(given.id)
        except InputError as error:
            drafts[i] = error
    return drafts


async def _places(
    desk: SearchDesk, collection: Collection, drafts: Mapping[int, Draft]
) -> dict[int, Vector | NearfieldError]:
    """The place of each draft, or why it has none."""
    places: dict[int, Vector | NearfieldError] = {}
    things: dict[int, Thing] = {}
    for i, one in drafts.items():
        if isinstance(one.what, Text | Picture):
            things[i] = one.what
        else:
            places[i] = _checked(one.what, collection.space.dim)
    if things:
        embedder = await desk.embedder_for(collection)
        outcomes = await desk.outcomes(embedder, list(things.values()))
        places.update(zip(things, outcomes, strict=True))
    return places


async def _looks(desk: SearchDesk, drafts: Mapping[int, Draft]) -> dict[int, str]:
    """The picture hash of each draft that is a picture."""
    pictures = {i: one.what for i, one in drafts.items() if isinstance(one.what, Picture)}
    if not pictures:
        return {}
    with desk.timings.measure("decode"):
        work = partial(hash_of_picture, settings=desk.state.settings)
        hashes = await desk.state.workers.each(work, list(pictures.values()))
    return dict(zip(pictures, hashes, strict=True))


def _checked(vector: Vector, dim: int) -> Vector | NearfieldError:
    try:
        return unit_row(vector, dim)
    except (InputError, SpaceMismatchError) as error:
        return error


async def _keep(
    desk: SearchDesk,
    collection: Collection,
    ready: Mapping[int, Item],
    drafts: Mapping[int, Draft],
) -> None:
    """Keep a small copy of each upload, for it cannot be read again."""
    whats = [(item, drafts[i].what) for i, item in ready.items()]
    uploads = [(item, what.content) for item, what in whats if isinstance(what, Picture)]
    if not uploads:
        return

    def keep_one(upload: tuple[Item, bytes]) -> None:
        pictures.keep(collection, *upload, desk.state.settings)

    with desk.timings.measure("decode"):
        await desk.state.workers.each(keep_one, uploads)


def _store(collection: Collection, items: Sequence[Item], replaced: Sequence[Item]) -> int:
    if not items:
        return collection.sequence
    sequence = collection.put(items)
    for item in replaced:
        pictures.forget(collection, item)
    return sequence


def _outcome(
    item_id: str, drafted: Draft | InputError, place: Vector | NearfieldError | None
) -> Outcome:
    for error in (drafted, place):
        if isinstance(error, NearfieldError):
            return Outcome(item_id, "failed", error)
    return Outcome(item_id, "unchanged" if place is None else "indexed")


def _written(metadata: Metadata) -> str:
    """Metadata as JSON, where 1, true and 1.0 differ; to Python they are equal."""
    return json.dumps(dict(metadata), sort_keys=True)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def as_error(error: NearfieldError) -> dict[str, JSON]:
    """An item's error as answers tell it."""
    is_theirs = isinstance(error, InputError)
    return {"code": error.code, "detail": str(error) if is_theirs else without_places(str(error))}
