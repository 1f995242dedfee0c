"""Transactions and receipts."""
