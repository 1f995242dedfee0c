"""Small servers of our own that do the same in other ways, for comparison."""
