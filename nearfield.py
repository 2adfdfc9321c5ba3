"""Nearfield's front door: one command made of two rooms, and what Python users need.

    import nearfield

    with nearfield.open_store(nearfield.Settings(data="nearfield-data")) as store:
        ...

The one file that knows both `indexer` and `service`; it joins them and does nothing else.
"""

from __future__ import annotations

import click

from indexer.cli import commands as things_in
from latent import __version__
from latent.settings import Settings
from latent.wiring import open_store
from service.cli import commands as questions_out
from service.query import QueryEngine

__all__ = ["QueryEngine", "Settings", "__version__", "main", "open_store"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nearfield")
def main() -> None:
    """Put your own pictures and texts into one latent space and find what is near."""


for command in (*things_in, *questions_out):
    main.add_command(command)

if __name__ == "__main__":
    main()
