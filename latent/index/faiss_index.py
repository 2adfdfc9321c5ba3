"""VectorIndex on FAISS: an immutable base, and an exact delta of what changed since.

A served FAISS index is never changed, because FAISS crashes when `add` meets `search`. So `add` and
`drop` go to an ExactIndex beside it and mask what they replace; a new base is built in time and
swapped in whole. Knows nothing about files of snapshots (`snapshot` does) or catalogs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from latent.index.bases import Base, Bits, Kind, Quantisation, ask, rough_scores
from latent.index.exact import MARGIN, ExactIndex, View, checked, nearest_in, nearest_of
from latent.index.plans import Plan, Trace, Way, choose
from latent.index.products import BaseProducts, Products
from latent.index.vectors import Keys, Neighbour, best, cosines
from latent.items import Vector, Vectors

KEPT = 8
"""Filters whose rows are remembered while nothing is written."""
MANY = 2_000
"""Rows that are narrowed down by their codes before their exact vectors are read."""


@dataclass(frozen=True, slots=True)
class State:
    """All a search needs, taken at one moment; `alive` are the rows of the base still current.

    None where all are; `masked` counts the others.
    """

    base: Base
    alive: Bits | None
    masked: int
    delta: View

    def living(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of the positions that are still current."""
        return positions if self.alive is None else positions[_are_set(self.alive, positions)]

    def without(self, positions: NDArray[np.int64], delta: View) -> State:
        """The same with some rows masked, beside another delta."""
        gone = self.living(positions)
        if not len(gone):
            return replace(self, delta=delta)
        count = len(self.base.keys)
        if self.alive is None:
            bits = np.packbits(np.ones(count, np.bool_), bitorder="little")
        else:
            bits = self.alive.copy()
        np.bitwise_and.at(bits, gone >> 3, ~_bit_of(gone))
        return State(self.base, bits, self.masked + len(gone), delta)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The positions that are still current."""
        if self.alive is None:
            return np.arange(len(self.base.keys))
        return _positions_in(self.alive, len(self.base.keys))

    def keys(self) -> Keys:
        """The keys of everything that is held, ascending."""
        return np.sort(np.concatenate([self.base.keys[self.rows], self.delta.living()[0]]))

    def vectors_of(self, keys: Keys) -> tuple[Keys, Vectors]:
        """Those of the keys that are here, ascending, and their vectors."""
        places = self.living(self.base.positions(keys))
        new_keys, new_vectors = self.delta.living(keys)
        found = np.concatenate([self.base.keys[places], new_keys])
        vectors = np.concatenate([self.base.vectors[places], new_vectors])
        if self.base.pages is not None:
            self.base.pages.looked_up(len(places))
        order = np.argsort(found)
        return found[order], vectors[order]


class FaissIndex:
    """A base from FAISS under an exact delta. Writers take turns; readers search one state."""

    def __init__(self, base: Base) -> None:
        self._dim = int(base.vectors.shape[1])
        self._writing = threading.Lock()
        self._delta = ExactIndex(self._dim)
        self._state = State(base, None, 0, self._delta.view).without(base.gone, self._delta.view)
        self._scopes: dict[int, tuple[State, Keys, _Scope]] = {}
        self._products = BaseProducts(base)
        self.changes = 0

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def state(self) -> State:
        """What is held right now, and stays as it is while others write."""
        return self._state

    @property
    def base(self) -> Base:
        """What it was made of; what was written since is not in it."""
        return self._state.base

    @property
    def delta_size(self) -> int:
        """How many vectors are searched beside the base."""
        return len(self._state.delta)

    def __len__(self) -> int:
        state = self._state
        return len(state.base.keys) - state.masked + len(state.delta)

    def __contains__(self, key: int) -> bool:
        state = self._state
        found = state.base.positions(np.array([key], np.int64))
        return key in self._delta or bool(len(state.living(found)))

    def keys(self) -> Keys:
        """The keys of everything that is held, ascending."""
        return self._state.keys()

    def held(self) -> tuple[Keys, Vectors]:
        """Everything that is held: keys ascending, and their vectors."""
        state = self._state
        rows = state.rows
        new_keys, new_vectors = state.delta.living()
        keys = np.concatenate([state.base.keys[rows], new_keys])
        vectors = np.concatenate([state.base.vectors[rows], new_vectors])
        order = np.argsort(keys)
        return keys[order], vectors[order]

    def products(self, direction: Vector) -> Products:
        """The product of every vector with a direction, which need not be of length 1."""
        state = self._state
        keys, scores = state.base.keys, self._products.of(direction)
        if state.alive is not None:
            rows = state.rows
            keys, scores = keys[rows], scores[rows]
        new_keys, new_vectors = state.delta.living()
        if not len(new_keys):
            return Products(keys, scores)
        new = new_vectors @ direction
        return Products(np.concatenate([keys, new_keys]), np.concatenate([scores, new]))

    def add(self, keys: Keys, vectors: Vectors) -> None:
        rows = checked(vectors, self._dim)
        with self._writing:
            self._delta.add(keys, rows)
            self._mask(keys)

    def drop(self, keys: Keys) -> None:
        with self._writing:
            self._delta.drop(keys)
            self._mask(keys)

    def _mask(self, keys: Keys) -> None:
        self.changes += len(keys)
        state = self._state
        self._state = state.without(state.base.positions(keys), self._delta.view)

    def search(
        self, queries: Vectors, k: int, *, only: Keys | None = None
    ) -> list[list[Neighbour]]:
        return [found for found, _ in self.traced(queries, k, only=only)]

    def traced(
        self, queries: Vectors, k: int, *, only: Keys | None = None, plan: Plan | None = None
    ) -> list[tuple[list[Neighbour], Trace]]:
        """As `search`, telling for each query how it went. `plan` is for tests of one way."""
        rows = checked(queries, self._dim)
        state = self._state
        scope = self._scope(state, only)
        parts = state.delta.parts(only)
        beside = sum(len(keys) for keys, _ in parts)
        found = []
        for query, (old, trace) in zip(rows, _search_base(scope, rows, k, plan), strict=True):
            if beside:
                new = nearest_in(parts, query, k)
                old = sorted(old + new, key=lambda hit: (-hit.score, hit.key))[:k]
                trace = replace(trace, candidates=trace.candidates + beside)
            found.append((old, trace))
            if state.base.pages is not None:
                state.base.pages.looked_up(trace.candidates)
        return found

    def _scope(self, state: State, only: Keys | None) -> _Scope:
        """What a search may find; a filter is often asked again while nothing is written."""
        if only is None:
            return _Scope(state.base, len(state.base.keys) - state.masked, alive=state.alive)
        scopes = self._scopes
        kept = scopes.get(id(only))
        if kept is None or kept[0] is not state or kept[1] is not only:
            kept = (state, only, _filtered(state, only))
            if len(scopes) >= KEPT:
                self._scopes = scopes = {}
            scopes[id(only)] = kept
        return kept[2]

    def vectors_of(self, keys: Keys) -> tuple[Keys, Vectors]:
        """Those of the keys that are here, ascending, and their vectors."""
        return self._state.vectors_of(keys)


@dataclass(frozen=True)
class _Scope:
    """The `size` rows of a base that a search may find: by position, or a bit each, or all."""

    base: Base
    size: int
    is_filtered: bool = False
    alive: Bits | None = None
    positions: NDArray[np.int64] | None = None

    @cached_property
    def rows(self) -> NDArray[np.int64] | None:
        """Their positions; None for all."""
        if self.positions is not None or self.alive is None:
            return self.positions
        return _positions_in(self.alive, len(self.base.keys))

    @cached_property
    def bits(self) -> Bits | None:
        """A bit for each; None for all."""
        if self.alive is not None or self.positions is None:
            return self.alive
        is_allowed = np.zeros(len(self.base.keys), np.bool_)
        is_allowed[self.positions] = True
        return np.packbits(is_allowed, bitorder="little")


def _filtered(state: State, only: Keys) -> _Scope:
    base = state.base
    if 8 * len(only) < len(base.keys):
        rows = np.sort(state.living(base.positions(only)))
        return _Scope(base, len(rows), True, positions=rows)
    if base.holds_just(only):  # all there are, of a collection of photos alone, say
        return _Scope(base, len(base.keys) - state.masked, True, alive=state.alive)
    bits = np.packbits(np.isin(base.keys, only), bitorder="little")
    if state.alive is not None:
        bits &= state.alive
    return _Scope(base, int(np.bitwise_count(bits).sum()), True, alive=bits)


def _positions_in(bits: Bits, count: int) -> NDArray[np.int64]:
    return np.flatnonzero(np.unpackbits(bits, count=count, bitorder="little"))


def _bit_of(positions: NDArray[np.int64]) -> Bits:
    return np.left_shift(np.uint8(1), (positions & 7).astype(np.uint8))


def _are_set(bits: Bits, positions: NDArray[np.int64]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (bits[positions >> 3] & _bit_of(positions)) != 0
    return found


def _search_base(
    scope: _Scope, queries: Vectors, k: int, plan: Plan | None
) -> Iterator[tuple[list[Neighbour], Trace]]:
    """Ask the graph for a few more than k and score them exactly, or compare all there are."""
    base, k = scope.base, min(k, scope.size)
    if k <= 0:
        return iter([([], Trace(Plan(Way.NOTHING), 0))] * len(queries))
    if base.kind is Kind.EXACT:
        trace = Trace(Plan(Way.EXACT), scope.size)
        if scope.is_filtered:
            return (_compare_all(scope, query, k, trace) for query in queries)
        return ((_search_flat(scope, query, k), trace) for query in queries)
    fetch = _fetched(scope, k)
    # A filter promises more than the contract does; short codes reach that by looking further.
    least = 2 * base.effort if scope.is_filtered and base.quantisation.is_coarse else base.effort
    plan = plan or choose(
        len(base.keys), scope.size, fetch, is_filtered=scope.is_filtered, least=least
    )
    if plan.effort is None:
        trace = Trace(plan, scope.size)
        return (_compare_all(scope, query, k, trace) for query in queries)
    return _walk(scope, queries, k, plan, plan.effort)


def _fetched(scope: _Scope, k: int) -> int:
    """How many candidates are scored exactly, for k that are told."""
    return min(scope.size, 2 * k + 16)


def _walk(
    scope: _Scope, queries: Vectors, k: int, plan: Plan, effort: int
) -> Iterator[tuple[list[Neighbour], Trace]]:
    """Walk the graph for each, in one call."""
    base = scope.base
    wanted = fetch = _fetched(scope, k)
    if base.quantisation.is_coarse:
        wanted = min(scope.size, max(fetch, effort * scope.size // len(base.keys)))
    walked = ask(base, queries, wanted, scope.bits, effort=effort)
    for query, (_, positions) in zip(queries, walked, strict=True):
        if len(positions) < fetch:
            # What is found at the rim of a walk is not surely the nearest: better to look at all.
            yield _compare_all(scope, query, k, Trace(plan, scope.size, fell_back=True))
            continue
        hits = best(base.keys[positions], cosines(base.vectors[positions], query), k)
        yield hits, Trace(plan, len(positions))


def _compare_all(
    scope: _Scope, query: NDArray[np.float32], k: int, trace: Trace
) -> tuple[list[Neighbour], Trace]:
    base, rows = scope.base, scope.rows
    if rows is not None and len(rows) > MANY and base.quantisation is Quantisation.SQ8:
        rows = _narrowed(base, query, k, rows)
        trace = replace(trace, candidates=len(rows))
    return nearest_of(base.keys, base.vectors, query, k, rows=rows), trace


def _narrowed(
    base: Base, query: NDArray[np.float32], k: int, rows: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Those of the rows that may be among the k nearest, by codes that tell how wrong they are."""
    rough, error = rough_scores(base, query, rows)
    line = np.partition(rough, len(rough) - k)[len(rough) - k] - 2 * error - MARGIN
    close: NDArray[np.int64] = rows[rough >= line]
    return close


def _search_flat(scope: _Scope, query: NDArray[np.float32], k: int) -> list[Neighbour]:
    """FAISS compares all; more are fetched until the k-th is surely before those left out."""
    base, fetch = scope.base, min(scope.size, k + 16)
    while True:
        ((scores, positions),) = ask(base, query[None, :], fetch, scope.bits)
        if fetch >= scope.size or scores[-1] < scores[k - 1] - MARGIN:
            return best(base.keys[positions], cosines(base.vectors[positions], query), k)
        fetch = min(scope.size, fetch * 4)
