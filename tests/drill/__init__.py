"""A rehearsal of the loss of PostgreSQL: backup, loss, restore to an instant."""
