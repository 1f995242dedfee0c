"""The servers that are measured, with their stores and processes."""
