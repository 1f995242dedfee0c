"""Players: their rows and cached profiles, and their public profile and history."""
