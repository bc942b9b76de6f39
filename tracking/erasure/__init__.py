"""Erasing a person: asking for it, and the tombstones that every reader of the log heeds."""
