"""Who calls: issuers of access tokens, what their claims mean, and API keys. Pure rules; nothing is verified here."""
