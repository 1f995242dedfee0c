"""Logs, metrics, traces and the supervision of background work; independent of the rest of the service."""
