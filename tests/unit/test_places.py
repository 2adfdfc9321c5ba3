"""Names of models that may be places on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from latent.models.places import place_of


def test_a_name_that_leads_to_a_folder_is_its_place(tmp_path: Path) -> None:
    assert place_of(f"{tmp_path}/../{tmp_path.name}") == tmp_path.resolve()


@pytest.mark.parametrize("name", ["nowhere", "x" * 5_000, "a\0b", "~nobody-of-this-name/model"])
def test_a_name_that_leads_nowhere_is_no_error(name: str) -> None:
    assert place_of(name) is None
