"""Models that place things in a space: `embedder` (the seam) → `openclip`, `sentence`, `compiled`.

`registry` picks the adapter by name and `loaded` holds those in use; `catalogue` and `cards` say
which there are. `artifact` is the folder of a compiled model, whose graphs `towers` runs;
`compiling/` makes one. `devices` chooses where to compute. `cuts`, `calibration` and `chance` say
what a score means; `calibrating/` learns it, `kept_calibrations` keeps what was learnt here.
`pictures`, `texts`, `fitting` and `cleaning` make things fit for a model; `vectors_only` has none,
`colours` is one for tests. Knows nothing about catalogs and indexes.
"""
