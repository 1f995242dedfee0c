"""The GraphQL types, inputs and errors: declarations only; `.of(...)` converts a domain object.

The `description` of a type or field is its documentation.
"""
