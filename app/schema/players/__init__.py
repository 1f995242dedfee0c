"""Users, profiles, histories and the caller."""
