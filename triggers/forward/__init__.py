"""Copies of events and activations for other systems, each by its own cursor on the log."""
