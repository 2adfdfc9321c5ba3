"""Bytes become pictures and texts: `decode` with `scans`, `containers` and `exif`, and `documents`.

`fingerprints` say what a picture looks like; `picture_hashes` holds those of a collection.
`origins` tells which file on this machine an item came from.
"""
