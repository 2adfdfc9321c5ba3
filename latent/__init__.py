"""The shared latent space: models that place things in it, catalog and index that hold them.

Reading order: `items` (the words everyone speaks) → `space` → `models/embedder` (things become
vectors) → `collection` (catalog and index in step) → `finding` (the nearest of it) → `catalog/`
(the truth) → `index/` (the index that follows it) → `filters/`, `columns/` (which items) → `store`
(all that is open at once) → `wiring` (`settings` become open objects). `errors` is the tree of what
can go wrong, `terminal` how commands say it, `disk` how files are written, `memory` how what was
freed is given back. `media/` makes pictures and texts of bytes; `backups` copies what is not
derived, `losses` notices what is gone, `comparing` holds two collections side by side. Each package
says in its first lines how to read it.

Knows no files to crawl and no web.
"""

import os

# Searches run beside each other, a core each. BLAS would share out the product of each among all
# cores, and wait for the last of them: on a busy machine that takes ten times as long. It is asked
# before numpy is loaded, and a number that is set already stays.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
