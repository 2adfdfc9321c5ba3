"""Pages for people. Everything they need is served from here; no other host is asked."""
