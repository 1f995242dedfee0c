"""Action tokens, signed actions and recorded actions."""
