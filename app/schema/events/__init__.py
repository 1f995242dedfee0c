"""Events for other systems: endpoints and dead letters."""
