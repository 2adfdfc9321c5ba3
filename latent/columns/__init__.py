"""Fields of metadata as columns in memory: a filter looks at a million items in milliseconds.

`columns` follows the catalog and answers filters; `cells` holds the values of one field, `lexicon`
its different ones in order, `places` where things are; `matches` keeps the last answers. Derived,
read when a field is first filtered by, and kept in step by the sequence as the index is. Knows
nothing about databases and vectors.
"""
