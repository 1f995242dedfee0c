"""Access tokens (JWT): verification, the keys of identity providers, and the service's own signing keys."""
