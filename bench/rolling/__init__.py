"""What clients see of a rolling restart and of a release with a migration."""
