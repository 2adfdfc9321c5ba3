"""The pages on command line, HTTP and Python are held against the code, name by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import click
import pages
import pytest
from pages import rows_in

import nearfield
from latent.collection import Collection, Summary
from latent.items import Modality
from latent.models.embedder import Embedder
from latent.settings import Settings
from latent.space import Space
from latent.store import Store
from service import problems
from service.app import search_app
from service.query import QueryEngine
from service.seen.metrics import Metrics

HTTP, CLI, PYTHON = (f"docs/reference/{name}.md" for name in ("http", "cli", "python"))

# --- the command line ---------------------------------------------------------------------------

COMMON = {"--data", "--json", "--help"}


def commands(group: click.Group, prefix: str = "nearfield") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by what one types."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


COMMANDS = list(commands(nearfield.main))


def plain(text: str) -> str:
    return " ".join(text.replace("`", "").replace("'nearfield index'", "nearfield index").split())


def test_the_command_line_page_has_every_command_and_no_other() -> None:
    headings = [one.strip("`") for one in pages.sections(pages.read(CLI))]
    assert headings == [name for name, _ in ordered(headings)]


def ordered(order: list[str]) -> list[tuple[str, click.Command]]:
    """In the order of the page; what it does not have comes last."""
    return sorted(COMMANDS, key=lambda one: order.index(one[0]) if one[0] in order else len(order))


@pytest.mark.parametrize(("name", "command"), COMMANDS)
def test_every_option_is_on_the_page_with_what_it_does(name: str, command: click.Command) -> None:
    text = pages.sections(pages.read(CLI))[f"`{name}`"]
    rows = rows_in(text)
    options = {
        max(one.opts, key=len): one for one in command.params if isinstance(one, click.Option)
    }
    assert set(rows) == set(options) - COMMON
    for option, row in rows.items():
        said = (options[option].help or "").rstrip(".")
        assert plain(row[1]).startswith(plain(said)), option
        kind = options[option].type
        if isinstance(kind, click.Choice):
            assert all(f"`{choice}`" in row[1] for choice in kind.choices)
        if isinstance(options[option].default, int | str) and not options[option].is_flag:
            assert str(options[option].default) in row[1], option
    for argument in command.params:
        if isinstance(argument, click.Argument):
            assert f"`{argument.make_metavar(click.Context(command)).strip('[]')}`" in text


@pytest.mark.parametrize(("name", "command"), COMMANDS)
def test_every_command_says_on_the_page_what_it_says_itself(
    name: str, command: click.Command
) -> None:
    text = plain(pages.sections(pages.read(CLI))[f"`{name}`"])
    first, *_ = (command.help or "").split("\n\n")
    said = plain(first).removesuffix(".").removesuffix(", or FILE")
    assert text.startswith(said), said


def test_the_options_of_all_commands_are_named_once() -> None:
    head = pages.read(CLI).split("\n## ")[0]
    rows = rows_in(head)
    for _, command in COMMANDS:
        for option in command.params:
            name = max(option.opts, key=len)
            if name in COMMON and isinstance(option, click.Option):
                assert rows[name][1] == option.help
    assert all(f"`{name}`" in head for name in COMMON)


# --- HTTP ---------------------------------------------------------------------------------------


def document() -> dict[str, Any]:
    return search_app(Settings(model="colours")).openapi()


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation, by the heading it has on the page."""
    for path, by_method in document()["paths"].items():
        for method, operation in by_method.items():
            yield f"`{method.upper()} {path}`", operation


OPERATIONS = list(operations())


def test_the_http_page_has_every_endpoint_and_no_other() -> None:
    headings = [one for one in pages.sections(pages.read(HTTP)) if one.startswith("`")]
    assert sorted(headings) == sorted(heading for heading, _ in OPERATIONS)


@pytest.mark.parametrize(("heading", "operation"), OPERATIONS)
def test_every_field_of_a_request_is_on_the_page(heading: str, operation: dict[str, Any]) -> None:
    text = pages.sections(pages.read(HTTP))[heading]
    schemas = document()["components"]["schemas"]
    names = {one["name"] for one in operation.get("parameters", [])} - {"collection", "id"}
    for content in operation.get("requestBody", {}).get("content", {}).values():
        names |= set(schemas[content["schema"]["$ref"].rsplit("/", 1)[-1]]["properties"])
    for name in names:
        assert f"`{name}`" in text, name


def test_every_field_of_an_item_is_on_the_page() -> None:
    text = pages.sections(pages.read(HTTP))["`PUT /v1/collections/{collection}/items`"]
    fields = set(document()["components"]["schemas"]["ItemBody"]["properties"])
    assert set(rows_in(text)) == fields


def test_the_problems_of_the_web_alone_are_on_the_page() -> None:
    rows = rows_in(pages.sections(pages.read(HTTP))["Problems"])
    expected = {one.code: one.status for one in problems.kinds()}
    for cls in problems.STATUS:
        expected.pop(cls.code, None)
    assert {code: int(row[1]) for code, row in rows.items()} == expected


def test_the_table_of_metrics_is_what_is_counted() -> None:
    metrics = Metrics()
    empty = Space("colours", 16, "none", frozenset(Modality))
    main = Summary("main", empty, 1, 1, 0, 0, sequence=7, index={}, searched=1, behind=0)
    metrics.watch_collections(lambda: [main])
    metrics.count_request("GET", "/healthz", 200, 0.1)
    metrics.count_stages({"embed": 1.0})
    found = dict(re.findall(r"^# TYPE (\w+) (\w+)$", metrics.text().decode(), re.MULTILINE))
    rows = rows_in(pages.sections(pages.read(HTTP))["`GET /metrics`"])
    assert {name: row[1] for name, row in rows.items()} == {
        name: kind for name, kind in found.items() if not name.endswith("_created")
    }
    labels = {name: set(re.findall(r"`(\w+)`", row[2])) for name, row in rows.items()}
    assert labels["nearfield_requests_total"] == {"method", "route", "status"}
    for name in set().union(*labels.values()) - {"modality"}:  # no batch was counted
        assert f'{name}="' in metrics.text().decode()


# --- Python, models -----------------------------------------------------------------------------


def test_the_names_of_the_front_door_are_on_the_page() -> None:
    assert set(rows_in(pages.sections(pages.read(PYTHON))["The front door"])) == set(
        nearfield.__all__
    )


@pytest.mark.parametrize("cls", [Store, Collection, Embedder, QueryEngine])
def test_every_public_member_is_on_the_page(cls: type) -> None:
    text = pages.sections(pages.read(PYTHON))[cls.__name__]
    for name in vars(cls):
        if not name.startswith("_") and name not in ("settings", "name"):
            assert re.search(rf"\b{name}\b", text), name
    for name in rows_in(text):
        assert hasattr(cls, name.partition("(")[0]), name
