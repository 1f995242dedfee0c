"""Send hostile requests to the service and count the responses: `python -m bench.attack`."""
