"""What `leaderboard backup` and `leaderboard restore` do, with the programs of PostgreSQL."""
