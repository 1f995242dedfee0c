"""Rules about players: profiles, milestones and score histories."""
