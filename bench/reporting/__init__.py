"""Compute medians of rounds and print tables."""
