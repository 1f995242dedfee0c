"""The ledger: load, judge and store score requests, and everything that follows a commit."""
