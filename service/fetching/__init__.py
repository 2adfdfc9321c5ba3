"""Pictures at URLs: of hosts that the operator named, at addresses of the public internet.

Reading order: `places` (which URLs may be fetched) → `addresses` (which addresses may be connected
to) → `fetch` (one picture, within its bytes and seconds) → `bodies` (those of a
request).
"""
