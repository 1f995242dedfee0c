"""Scores: their range."""

MAX_SCORE = 2**53 - 1
"""The highest score, and the largest change of one.

JavaScript and the sorted sets of Redis have double-precision numbers, which are exact up to here (IEEE 754, RFC 8259).
"""
