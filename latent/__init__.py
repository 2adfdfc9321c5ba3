"""The shared latent space: models that place things in it, catalog and index that hold them.

Reading order: `items` (the words everyone speaks) → `space` → `models/embedder` (things become
vectors) → `collection` (catalog and index in step) → `catalog` (the truth) and `writes` (what one
write does) → `served` (the index that follows it) → `vectors` (the seam of the index) → `filters`
and `plans` (which items, and how they are searched) → `wiring` (settings become open objects).

Knows no files to crawl and no web.
"""

__version__ = "0.1.0"
