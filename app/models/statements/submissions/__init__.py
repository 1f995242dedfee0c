"""Statements about action tokens and signing sessions."""
