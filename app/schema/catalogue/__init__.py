"""Categories, actions and changes of both."""
