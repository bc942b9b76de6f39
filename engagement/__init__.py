"""The engagement platform."""
