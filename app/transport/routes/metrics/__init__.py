"""All metrics of the service, by subject, and the route `/metrics`."""
