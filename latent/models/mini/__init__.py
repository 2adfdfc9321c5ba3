"""The bundled model `mini`: both towers, tokenizer and model card. Knows only where they lie."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path


@cache  # each question asks for it, and finding it anew costs a twentieth of a small search
def folder() -> Path:
    """The folder with `model.json`, the graphs, the tokenizer and `README.md`, the model card."""
    return Path(str(files(__name__)))
