"""Addresses of PostgreSQL, and the opening of connections to it, for the stores and for the migrations."""
