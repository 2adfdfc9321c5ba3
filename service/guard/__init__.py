"""Who may ask for what, and how often.

Reading order: `scopes` (what an endpoint needs) → `keys` (what a key is, and what is kept of it) →
`keyring` (the file they are kept in) → `administrators` (what requests may change of it) → `rates`
(how often) → `browsers` (pages of other hosts) → `guard` (lets a request in or not). `headers` is
what every answer tells browsers.
"""
