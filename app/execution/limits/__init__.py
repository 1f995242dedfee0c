"""The limits of documents and of input values."""
