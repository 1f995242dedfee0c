"""Boards, ledgers and hubs for tests."""
