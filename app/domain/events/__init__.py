"""Events: facts that other systems are told about."""
