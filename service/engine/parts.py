"""What a question is made of: texts, pictures, known items and vectors, each with a weight.

Knows nothing about models, collections or the web.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from latent.errors import InputError
from latent.items import JSON, Vector
from service.embedding.pictures import picture_bytes

MAX_PARTS = 32
FORMS = ("text", "image", "id", "vector", "concept")


@dataclass(frozen=True, slots=True)
class Text:
    """Words that a model must place.

    `said` are sentences that stand for them, whose mean is their place; without any they stand for
    themselves.
    """

    text: str
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """The bytes of a picture that a model must place; `name` is how errors speak of it."""

    content: bytes
    name: str = "image"


@dataclass(frozen=True, slots=True)
class Like:
    """An item of the collection, by its id."""

    id: str


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    """A vector that the asker brought along: `(dim,)` float32, not yet of length 1."""

    vector: Vector


@dataclass(frozen=True, slots=True)
class Learned:
    """A concept of the collection, by its name."""

    name: str


Thing: TypeAlias = Text | Picture
"""What only a model can place."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a question; a negative weight leads away from it."""

    what: Thing | Like | Coordinates | Learned
    weight: float = 1.0

    def describe(self) -> JSON:
        """The part in few words that differ whenever the part does (bytes by their hash)."""
        match self.what:
            case Text(text):
                return ["text", text, self.weight]
            case Picture(content):
                return ["image", hashlib.sha256(content).hexdigest(), self.weight]
            case Like(item_id):
                return ["id", item_id, self.weight]
            case Coordinates(vector):
                return ["vector", hashlib.sha256(vector.tobytes()).hexdigest(), self.weight]
            case Learned(name):
                return ["concept", name, self.weight]


def parse(query: object) -> tuple[Part, ...]:
    """The parts of a query in any of its forms.

    A string; `{"text": …}`, `{"image": base64, data URL or bytes}`, `{"id": …}`,
    `{"vector": […]}` or `{"concept": …}`, each with an optional `weight`; or a list of such.

    Raises:
        InputError: it has another form, names nothing, or has more than `MAX_PARTS` parts.
    """
    if isinstance(query, str | Mapping):
        return (_part(query),)
    if not isinstance(query, Sequence) or isinstance(query, bytes | bytearray):
        raise InputError("a query is a text, an object, or a list of weighted parts")
    if not 0 < len(query) <= MAX_PARTS:
        raise InputError(f"a query has between 1 and {MAX_PARTS} parts; this one has {len(query)}")
    return tuple(_part(part) for part in query)


def analogy(first: Part, second: Part, third: Part) -> tuple[Part, Part, Part]:
    """The parts of a question: `first` is to `second` as `third` is to what?

    That is third + second - first, in this order (Mikolov, Yih and Zweig, NAACL 2013). Their own
    weights do not count.
    """
    return Part(third.what), Part(second.what), Part(first.what, -1.0)


def place(given: object, *, name: str = "image") -> Part:
    """A text, picture, item or vector, which has no weight.

    Raises:
        InputError: it is something else.
    """
    if isinstance(given, Mapping) and given.get("weight") is not None:
        raise InputError("the ends of a walk and the things of an analogy have no weight")
    return _part(given, name=name)


def thing(given: object, *, name: str = "image") -> Thing:
    """A text or a picture: a string, `{"text": …}` or `{"image": …}`.

    Raises:
        InputError: it is something else.
    """
    what = _part(given, name=name).what
    if not isinstance(what, Text | Picture):
        raise InputError('expected a text, {"text": …} or {"image": …}')
    return what


def coordinates(values: object) -> Vector:
    """A vector from outside, `(dim,)` float32, scaled so that float32 can hold it.

    Numbers, or base64 of float32, little-endian, as OpenAI's embeddings are told: of long vectors
    that is a quarter as much to send, and nothing to read number by number.

    Raises:
        InputError: it is no flat list of finite numbers.
    """
    try:
        if isinstance(values, str):
            values = np.frombuffer(base64.b64decode(values, validate=True), "<f4")
        row = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError("a vector must be a list of numbers, or base64 of float32") from error
    if row.ndim != 1 or not row.size:
        raise InputError("a vector must be a flat list of at least one number")
    if not np.isfinite(row).all():
        raise InputError("a vector holds NaN or infinity")
    largest = np.abs(row).max()
    scaled: Vector = (row / largest if largest else row).astype(np.float32)
    return scaled


def _part(given: object, *, name: str = "image") -> Part:
    if isinstance(given, str):
        return Part(Text(given))
    if not isinstance(given, Mapping):
        raise InputError("a part of a query is a text or an object")
    forms = [form for form in FORMS if given.get(form) is not None]
    unknown = set(given) - {*FORMS, "weight"}
    if len(forms) != 1 or unknown:
        raise InputError(f"a part of a query has exactly one of {', '.join(FORMS)}, and a weight")
    return Part(_what(forms[0], given[forms[0]], name), _weight(given.get("weight")))


def _what(form: str, value: object, name: str) -> Thing | Like | Coordinates | Learned:
    if form == "image":
        return Picture(picture_bytes(value), name)
    if form == "vector":
        return Coordinates(coordinates(value))
    if not isinstance(value, str):
        raise InputError(f"{form!r} must be a string")
    if form == "concept":
        return Learned(value)
    return Text(value) if form == "text" else Like(value)


def _weight(value: object) -> float:
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError("a weight must be a finite number")
    return float(value)
