"""SQL statements about users, their profiles, milestones and history."""
