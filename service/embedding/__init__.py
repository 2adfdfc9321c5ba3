"""Things of requests become vectors: `placing` → `pictures`, `workers` (threads) → `batching`.

`remembered` keeps what was asked lately.
"""
