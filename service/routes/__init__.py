"""One noun a file: each parses, asks the desk, and shapes the answer."""
