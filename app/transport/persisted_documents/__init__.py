"""Documents that requests name by a hash or an id."""
