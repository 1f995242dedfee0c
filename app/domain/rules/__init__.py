"""The rules that decide whether and how a score request is posted."""
