"""How alike things are, from identical to unrelated: `tiers` → `looks`, `overlap`, `wording`.

`checks` asks a collection, `pairs` compares given things, `duplicates` with `near_pairs` finds all
copies, `classify` fits labels.
"""
