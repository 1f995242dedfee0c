"""Adapters of PostgreSQL and Redis, with circuit breakers, batching and single flight."""
