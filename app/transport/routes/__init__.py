"""HTTP routes beside the GraphQL endpoint: probes, metrics, pages and the demo."""
