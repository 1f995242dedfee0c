"""Fault injection: two instances on real stores, faults by a seeded schedule, and a checker of what clients saw."""
