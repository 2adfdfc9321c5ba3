"""Questions out: parse, embed, search, rank, answer.

Reading order: `routes/query` (a question arrives) → `parts` (what it is made of) → `desk` (what
must not happen on the event loop) → `placing` and `batching` (parts become vectors, many requests
at once) → `query` (the engine: search and rank) → `schemas` (the answer) → `problems` (or why
there is none). `app` puts it together, `state` opens and closes it, `cli` is the same at a prompt.

Knows nothing about where items come from.
"""
