"""A real-time leaderboard service. Importing this package does nothing; `app.wiring.open_app` opens everything."""
