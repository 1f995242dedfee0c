"""Statements about the ledger: load accounts, store postings, amend, anchor."""
