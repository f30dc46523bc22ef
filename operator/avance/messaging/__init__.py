"""Ways to tell people: e-mail and signed webhooks."""
