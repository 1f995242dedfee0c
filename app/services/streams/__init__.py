"""Streams: events are published to a server of messages."""
