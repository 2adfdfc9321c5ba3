"""Questions out: parse, embed, search, rank, answer.

Reading order: `routes/query` (a question arrives, a body of `schemas`, or of `comparisons` where no
collection is needed) → `desk` (what must not happen on the event loop) → `embedding/` (its parts
become vectors, many requests at once) → `query` (the query engine, with `engine/`: search and rank)
→ `answers` → `problems` (or why there is none). `live` stores items, `checks/` tells copies from
what is merely alike, `explore/` looks around in a collection. `app` puts it together, `state` opens
and closes it; `cli` and `commands/` are the same at a prompt. `together` asks many questions at
once.

On its way in a request passes `entrance/` (processes, sockets, its id, its body, its turn) and
`guard/` (who asks); `fetching/` gets pictures at URLs. `seen/` is what operators see of it all.

Knows nothing about where items come from.
"""
