"""Metrics: what is counted and measured while requests are served, and how Prometheus reads it."""
