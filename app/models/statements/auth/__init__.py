"""Statements about API keys."""
