"""Foreign systems' webhooks: whose they are, and what event each becomes. Pure."""
