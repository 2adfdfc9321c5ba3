"""How a search is carried out: by comparing every row that matches, or by walking the graph.

A walk through a graph meets few rows that match where few match: it must look further, in
proportion, and from some point on comparing all that match is less work and misses nothing. The
numbers are measured; `docs/explanation/planner.md` shows them. Knows nothing about FAISS.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

LEAST_EFFORT = 128
COMPARED = 8
"""Rows that a walk compares for each unit of effort, in the time an exact search compares one."""


class Way(StrEnum):
    """What is done with the rows of a base."""

    NOTHING = "nothing"
    EXACT = "exact"
    GRAPH = "graph"
    FILTERED_GRAPH = "filtered graph"


@dataclass(frozen=True, slots=True)
class Plan:
    """The way that was chosen, and how far a walk looks; None where nothing is walked."""

    way: Way
    effort: int | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """How one search went: its plan, how many rows were compared with exact vectors.

    `fell_back`: a walk met too few rows, so that all that match were compared after all.
    """

    plan: Plan
    candidates: int
    fell_back: bool = False


def choose(
    rows: int, allowed: int, fetch: int, *, is_filtered: bool, least: int = LEAST_EFFORT
) -> Plan:
    """The plan for finding `fetch` among the `allowed` of all `rows` of a graph.

    `least` is the effort without a filter that was measured to be enough.
    """
    if not allowed or not fetch:
        return Plan(Way.NOTHING)
    effort = -(-max(least, 2 * fetch) * rows // allowed)
    if allowed <= effort * COMPARED:
        return Plan(Way.EXACT)
    return Plan(Way.FILTERED_GRAPH if is_filtered else Way.GRAPH, effort)
