"""How a request gets in: sockets, its id, its body, its turn.

Reading order: `server` (the process and its socket) → `crew` (several of them: it talks over
`channel` with each `worker`) → `connections` (deadlines of a socket) → `turnstile` (whom there is
no room for is told so) → `middleware` (an id, a line in the log, a count) → `reception` (the body,
whole) → `door` (its turn) → `strict_json` (the body as values). Knows nothing about what requests
ask.
"""
