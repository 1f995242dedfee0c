"""The channels between processes: their backend on Redis, and the messages on them."""
