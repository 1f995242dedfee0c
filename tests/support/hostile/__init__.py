"""Hostile requests, documents, tokens and messages."""
