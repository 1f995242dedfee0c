"""Logs, metrics and traces: what the service tells about itself. A leaf: it knows nothing of the house."""
