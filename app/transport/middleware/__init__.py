"""ASGI middleware, and what it needs to know about clients."""
