"""Looking around in a collection, before and after a question: pure Python over numpy, no web.

Reading order: `facets` (what there is to filter by) → `pictures` and `thumbnails` (what items look
like).
"""
