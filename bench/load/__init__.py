"""Generate load in separate processes, so that its CPU time is not counted as that of a server."""
