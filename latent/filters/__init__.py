"""The filter language: JSON becomes a tree in `language`; `match` holds one item against it.

`sql` makes conditions of it, in the words of `sqlite` or `postgresql`; `geo` knows shapes on the
earth. `patterns` are those of `$like`.
"""
