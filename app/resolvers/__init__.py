"""Resolvers translate: arguments to a service call, its answer to a schema type. They decide nothing."""
