"""Flags and the decisions of moderators."""
