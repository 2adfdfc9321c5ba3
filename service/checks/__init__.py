"""How alike things are, from identical to unrelated: `tiers` → `looks`, `overlap`, `structure`,
`wording`; `stored` looks at items, `matching` says what counts as a match.

`checks` asks a collection, `pairs` compares given things; `links` tells which of many are copies,
for `duplicates` (with `near_pairs`) of a collection and `among` the hits of a question. `classify`
fits labels.
"""
