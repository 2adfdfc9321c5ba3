"""Settings become open objects. The only place that picks implementations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from latent.catalog.catalog import Catalog
from latent.catalog.opening import open_engine
from latent.disk import storage_error
from latent.errors import SourceMissingError
from latent.losses import refuse_a_lost_catalog, refuse_lost_collections
from latent.models import registry
from latent.models.loaded import LoadedModels
from latent.settings import Settings
from latent.store import Store

CATALOG, INDEX = "catalog.sqlite3", "index"


@contextmanager
def open_store(settings: Settings, *, must_exist: bool = False) -> Iterator[Store]:
    """Open catalog, collections and models; close them at the end.

    Args:
        must_exist: refuse a data folder that is not there instead of making it.

    Raises:
        SourceMissingError: there is no data folder, and it must exist.
        StoreError: it cannot be opened or written, or its catalog is gone.
    """
    catalog_file = settings.data / CATALOG
    index = settings.data / INDEX
    if settings.catalog_url is None:
        refuse_a_lost_catalog(catalog_file, index)
    if must_exist and settings.catalog_url is None and not catalog_file.is_file():
        raise SourceMissingError(
            f"there is nothing indexed in {settings.data}; begin with 'nearfield index FOLDER'"
        )
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, settings.data) from error
    url = settings.catalog_url or f"sqlite:///{catalog_file}"
    catalog = Catalog(open_engine(url))
    models = LoadedModels(settings, registry.load, stand_in=registry.stand_in)
    store = Store(settings, catalog, index, models)
    try:
        if settings.catalog_url is None:
            refuse_lost_collections(
                catalog_file, index, lambda: [entry.uid for entry in catalog.entries()]
            )
        yield store
    finally:
        store.close()
