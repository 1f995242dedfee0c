"""Deterministic simulation: ledger and hub of two processes on models of the stores, in simulated time."""
