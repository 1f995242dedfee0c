"""Resolvers: convert arguments, call one service, convert the result to a schema type."""
