"""The contract: GraphQL types, inputs and errors. Shape only; `.of(...)` makes a type from its domain object."""
