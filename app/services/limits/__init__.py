"""Rate limits and the number of sockets per user, counted in Redis for all instances together."""
