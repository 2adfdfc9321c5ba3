"""The index, a cache of the catalog: `served` follows it → `vectors` (the seam) → its two forms.

`faiss_index` is served, on `bases` that never change; `exact` is what it is held against.
`snapshot` puts an index on disk, `building` makes it (`arranging` gives a graph's rows an order,
`row_files` writes them), `publishing` reads the catalog for it (in a process apart if it is large)
and has it grow out of the one before, `pages` maps it. `plans` chooses how a search is carried out,
`recall` measures what a graph finds of what there is, asked `questions`; `samples` are what scores
are held against. `products` are those of all vectors with a direction. `acknowledged` notes how far
the catalog had got, `sizes` says what an index will take.
"""
