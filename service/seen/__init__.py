"""What operators see of the service: `metrics`, `logs`, `tracing`, and `timing` of stages below.

Knows nothing about what requests ask.
"""
