"""Shared executions of equal subscriptions."""
