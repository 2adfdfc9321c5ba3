"""Looking around in a collection, before and after a question: pure Python over numpy, no web.

Reading order: `facets` (what there is to filter by) → `pictures` and `thumbnails` (what items look
like) → `cloud` (all items as points) → `clustering` (who is near whom) → `projecting` (a map),
`groups` and `naming` with `vocabulary` → `landscape` (all of that, `kept`) → `surveys` (as it is
now; `buildings` tells of one that is being built) → `explorer` (all of it for a store). `why` with
`deletion`, and `mixture`, say why something matched and what is in a vector; `insight` puts them
together, of what `named` found in the question. `concepts` learns from marks, `areas` are parts of
a map, and `narrowing` makes filters of both. `sweeping` removes what is kept of uploads that are
gone.
"""
