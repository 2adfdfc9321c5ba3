"""open_clip's text towers, read no further than the longest text of a batch where that is exact.

Where attention looks back only and the row is taken at the end of the text, what stands behind it
counts for nothing. Knows torch and open_clip's towers, and nothing about tokenizers.
"""

from __future__ import annotations

from typing import Any

import torch
from open_clip.transformer import TextTransformer, text_global_pool


class ShortTextTower(torch.nn.Module):
    """A text tower that takes `(n, tokens)` of any length up to its context; unit rows."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        tower = getattr(model, "text", model)
        self.tower = tower
        self._pool: str = getattr(tower, "text_pool_type", None) or tower.pool_type
        self._end: int | None = getattr(tower, "text_eos_id", getattr(tower, "eos_id", None))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        tower, length = self.tower, ids.shape[1]
        rows = tower.token_embedding(ids) + tower.positional_embedding[:length]
        rows = tower.transformer(rows, attn_mask=tower.attn_mask[:length, :length])
        rows = text_global_pool(tower.ln_final(rows), ids, self._pool, eos_token_id=self._end)
        projection = tower.text_projection
        if isinstance(projection, torch.nn.Linear):
            rows = projection(rows)
        elif projection is not None:
            rows = rows @ projection
        return torch.nn.functional.normalize(rows, dim=-1)

    def cut(self, ids: torch.Tensor) -> torch.Tensor:
        """The batch without the tokens that stand behind the end of every text."""
        ends = torch.eq(ids, self._end or 0).int() if self._pool == "eos" else ids
        return ids[:, : int(ends.argmax(dim=-1).max()) + 1]


class WholeTextTower(torch.nn.Module):
    """Any text tower, at the length it was trained with; unit rows."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        rows: torch.Tensor = self.model.encode_text(ids, normalize=True)
        return rows

    def cut(self, ids: torch.Tensor) -> torch.Tensor:
        """The batch as it is."""
        return ids


def text_tower(model: Any) -> ShortTextTower | WholeTextTower:
    """The tower of a model, cut where that is exact."""
    tower = getattr(model, "text", model)
    looks_back = getattr(tower, "attn_mask", None) is not None
    pool = getattr(tower, "text_pool_type", None) or getattr(tower, "pool_type", "")
    is_plain = tower is model or (isinstance(tower, TextTransformer) and tower.cls_emb is None)
    if looks_back and is_plain and pool in ("argmax", "eos"):
        return ShortTextTower(model)
    return WholeTextTower(model)
