"""Deciding and delivering in the admin."""

from triggers.admin import activations, deliveries, people, rules, switch, templates

__all__ = ["activations", "deliveries", "people", "rules", "switch", "templates"]
