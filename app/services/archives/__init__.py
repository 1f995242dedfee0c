"""Export and import of archives, opening balances, and synthetic players."""
