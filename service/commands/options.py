"""Options that commands share which look into a collection.

Knows nothing about what they are used for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from latent.items import Modality

Command = TypeVar("Command", bound=Callable[..., Any])


def narrowing_options(function: Command) -> Command:
    """Add `--filter`, which arrives as `where`, `--modality` and `--collection`."""
    for option in (
        click.option("--collection", metavar="NAME", help="Which collection."),
        click.option(
            "--modality", type=click.Choice([one.value for one in Modality]), help="Only these."
        ),
        click.option(
            "--filter",
            "where",
            metavar="JSON",
            help="""Conditions on metadata, as in '{"camera": "X"}'.""",
        ),
    ):
        function = option(function)
    return function
