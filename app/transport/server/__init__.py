"""uvicorn's HTTP protocol, extended."""
