"""The ledger: transactions in one hash chain per user, and the scores that they make."""
