"""What must be true before a version is released: `python -m release`. docs/releasing.md describes the process."""
