"""A sample schema and server, and clients for GraphQL."""
