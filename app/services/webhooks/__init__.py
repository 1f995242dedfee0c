"""Webhooks: events are delivered to endpoints by signed HTTP requests."""
