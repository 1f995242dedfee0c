"""The catalogue of categories and actions: cached in every process, and changed while the service runs."""
