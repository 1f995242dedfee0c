"""What is deleted, thinned or archived after its time."""
