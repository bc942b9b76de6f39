"""E-mail through Django's mail settings."""
