"""Inbound webhooks: known hooks, what arrives at them, what is held of it, and the diary of it all."""
