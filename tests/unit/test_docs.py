"""The reference is held against the code: names, tables, links. Its examples run elsewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pages
import pytest

import nearfield
from latent import errors
from latent.catalog.tables import SCHEMA, metadata
from latent.models import registry
from latent.settings import Settings
from service import problems

ROOT = pages.ROOT
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("latent/**/*.md")])


def test_the_settings_table_is_the_settings() -> None:
    rows = pages.rows_of("docs/reference/settings.md")
    expected = {f"NEARFIELD_{name.upper()}" for name in Settings.model_fields}
    assert set(rows) == expected
    for name, field in Settings.model_fields.items():
        _, default, meaning = rows[f"NEARFIELD_{name.upper()}"]
        assert meaning == field.description
        if field.default_factory is None and field.default is not None:
            assert default == f"`{field.default}`"


def tree(cls: type[errors.NearfieldError] = errors.NearfieldError) -> set[str]:
    found = {child for child in cls.__subclasses__() if child.__module__ == errors.__name__}
    return {child.__name__ for child in found}.union(*(tree(child) for child in found))


def test_the_errors_table_is_the_tree() -> None:
    rows = pages.rows_of("docs/reference/errors.md")
    assert set(rows) == tree()
    for name, row in rows.items():
        cls = getattr(errors, name)
        assert row[2] == f"`{cls.code}`"
        status, _ = next(problems.STATUS[c] for c in cls.__mro__ if c in problems.STATUS)
        assert int(row[1]) == status


def test_the_tree_is_drawn_as_it_is() -> None:
    drawing = errors.__doc__ or ""
    for name in tree():
        assert re.search(rf"^ +{name} +\w", drawing, re.MULTILINE), name


def test_the_storage_format_names_every_table() -> None:
    text = (ROOT / "docs/reference/storage.md").read_text()
    assert f"schema {SCHEMA}" in text
    for table in metadata.tables.values():
        assert f"| `{table.name}` |" in text
        columns = {column.name for column in table.columns} - {"collection_id"}
        if table.name != "numbers":
            for column in columns:
                assert re.search(rf"\b{column}\b", text), f"{table.name}.{column}"


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_module_that_the_walk_names_exists() -> None:
    text = (ROOT / "docs/explanation/walk.md").read_text()
    named = re.findall(r"`((?:latent|indexer|service)/[\w/.]*)`", text)
    assert len(named) > 8
    for name in named:
        path = ROOT / name
        assert path.exists() or path.with_suffix(".py").exists(), name


def typed_in_docs() -> Iterator[Any]:
    """Every line of ours that a page tells to type, whole."""
    for page in DOCS:
        for line in page.read_text(encoding="utf-8").splitlines():
            found = re.match(r"(?: {4}|\$ )(?:\.venv/bin/)?nearfield (.*)", line)
            if found and page.name != "CONTRIBUTING.md":
                yield pytest.param(found[1], id=f"{page.name}: {found[1]}")


@pytest.mark.parametrize("line", list(typed_in_docs()))
def test_every_command_of_the_docs_is_one_that_nearfield_knows(line: str) -> None:
    """Parsed by the real command line, and not run."""
    words = shlex.split(re.split(r" [|>&]|  #", line)[0])
    group: click.Command = nearfield.main
    context = click.Context(group)
    while isinstance(group, click.Group):
        found = group.get_command(context, words.pop(0))
        assert found is not None, line
        group, context = found, click.Context(found)
    group.make_context("typed", words)


def test_every_form_of_a_model_is_in_the_how_to() -> None:
    rows = pages.rows_of("docs/how-to/other-models.md")
    assert {form.form.partition(":")[0] for form in registry.FORMS} == {
        name.partition(":")[0] for name in rows
    }
