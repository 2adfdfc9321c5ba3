"""The reference is held against the code: settings, errors, links, the storage format."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from latent import errors
from latent.settings import Settings
from latent.tables import SCHEMA, metadata
from service import problems

ROOT = Path(__file__).parents[2]
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("latent/**/*.md")])


def rows_of(path: str) -> dict[str, list[str]]:
    """The cells of every table row that begins with a code word, by that word."""
    lines = (ROOT / path).read_text().splitlines()
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines if line[:2] == "| "]
    return {row[0].strip("`"): row for row in cells if row[0].startswith("`")}


def test_the_settings_table_is_the_settings() -> None:
    rows = rows_of("docs/reference/settings.md")
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
    rows = rows_of("docs/reference/errors.md")
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
