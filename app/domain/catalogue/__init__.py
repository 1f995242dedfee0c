"""The catalogue of categories and actions, and the validation of its changes."""
