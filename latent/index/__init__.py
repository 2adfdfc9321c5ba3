"""The index, a cache of the catalog: `served` follows it → `vectors` (the seam) → its two forms.

`faiss_index` is served, `exact` is what it is held against; `snapshot` puts an index on disk,
 `plans` chooses how a search is carried out, `samples` are what it is judged by.
"""
