"""Statements about backups of the database."""
