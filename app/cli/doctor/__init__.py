"""The checks of `leaderboard doctor`: whether an installation is set up as the service needs it."""
