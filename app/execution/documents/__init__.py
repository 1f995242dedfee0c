"""Documents and their operations: parsing, validation, caching, and variables."""
