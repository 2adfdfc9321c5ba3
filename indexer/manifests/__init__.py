"""Tables that list things become items: CSV, JSON Lines, Parquet, NPY.

Reading order: `loading` is the main path; `formats` and `tables` read rows, `cells` says what is in
a `row`; `identity` tells whether it changed, `book` what there was before and what became of it;
`reader` reads what a row names.
"""
