"""Every setting, once. Read at the entry points and passed on as values.

Each can be given by an environment variable `NEARFIELD_…` (NEARFIELD_MAX_PIXELS=…). The list in
`docs/reference/settings.md` is held against this file by a test.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Device: TypeAlias = Literal["auto", "cpu", "cuda"]


class Settings(BaseSettings):
    """All settings with their defaults; frozen."""

    model_config = SettingsConfigDict(
        env_prefix="NEARFIELD_",
        # `NEARFIELD_DATA=` in a compose file means the default, not the current folder.
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
    )

    data: Path = Field(Path("nearfield-data"), description="Folder of the catalog and the index.")
    catalog_url: str | None = Field(
        None, description="SQLAlchemy URL of the catalog; by default a SQLite file in the folder."
    )
    collection: str = Field("main", description="Collection used where none is named.")
    model: str = Field("mini", description="Model of collections that are made without naming one.")

    max_pixels: int = Field(
        50_000_000, gt=0, description="Pictures with more pixels are refused before decoding."
    )
    max_image_bytes: int = Field(
        50_000_000, gt=0, description="Picture files and uploads with more bytes are refused."
    )
    max_decode_seconds: float = Field(
        30, gt=0, description="Pictures that take longer to decode are given up."
    )
    max_text_bytes: int = Field(
        20_000_000, gt=0, description="Text files with more bytes are refused."
    )
    max_body_bytes: int = Field(
        64_000_000, gt=0, description="Request bodies with more bytes are refused while read (413)."
    )
    max_k: int = Field(1_000, gt=0, description="Most neighbours one answer may hold.")
    max_batch_items: int = Field(
        1_000, gt=0, description="Most items, inputs, targets or documents in one request."
    )

    min_relevance: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Hits that are less surely what was meant are left out; 0 leaves none out.",
    )

    roots: str | None = Field(
        None, description="Folders that manifests may name pictures in, with ':', beside their own."
    )
    batch_size: int = Field(32, gt=0, description="Things embedded at once.")
    threads: int = Field(
        default_factory=lambda: max(1, len(os.sched_getaffinity(0))),
        gt=0,
        description="Threads for decoding and for the model; by default one for each core.",
    )

    device: Device = Field(
        "auto", description="Where models run; auto takes a CUDA device where there is one."
    )

    exact_limit: int = Field(
        50_000, ge=0, description="Collections with more items get a graph index (HNSW)."
    )
    recall: float = Field(
        0.98,
        gt=0,
        le=1,
        description="Share of the ten nearest that a graph is to find; it looks as far as it must.",
    )
    delta_limit: int = Field(
        5_000,
        gt=0,
        description="Changes that call for a new snapshot, if they are a twentieth of the items.",
    )

    thumbnail_bytes: int = Field(
        2_000_000_000,
        ge=0,
        description="Thumbnails of a collection that are kept; those made first go first.",
    )

    host: str = Field("127.0.0.1", description="Address the service listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port the service listens on.")
    workers: int = Field(
        1, gt=0, description="Processes that serve, on one port; they share the threads."
    )
    published: str | None = Field(
        None, description="Address clients reach it at, where that is not `host` (a container)."
    )
    keys_file: Path | None = Field(
        None, description="File of the API keys; by default `keys.json` in the data folder."
    )
    without_keys: bool = Field(
        False, description="Whether everybody may ask everything, whatever keys there are."
    )
    rate_limit: str | None = Field(
        None, description="Requests a key may make, as in `600/minute`; by default no limit."
    )
    cors_origins: str | None = Field(
        None, description="Origins whose pages may ask from a browser, with commas; none else may."
    )
    fetch_hosts: str | None = Field(
        None, description="Hosts that pictures are fetched from by URL, with commas; no others."
    )
    fetch_seconds: float = Field(
        10, gt=0, description="Seconds that fetching a picture may take, all in all."
    )
    max_waiting: int = Field(
        256, gt=0, description="Requests that may wait for the model; more get 503."
    )
    max_wait_ms: int = Field(
        1_000,
        gt=0,
        description="Milliseconds that a request may wait for its turn; more get 503.",
    )
    query_cache: int = Field(
        4_096,
        ge=0,
        description="Texts and pictures of requests whose vectors are remembered; 0 for none.",
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    log_format: Literal["text", "json"] = Field(
        "text", description="`text`, or `json` for one object a line."
    )
    traces_to: str | None = Field(
        None,
        description="URL for OpenTelemetry traces (OTLP over HTTP); by default none are made.",
    )
