"""Deciding and delivering in the admin."""

from triggers.admin import activations, deliveries, destinations, people, rules, switch, templates

__all__ = ["activations", "deliveries", "destinations", "people", "rules", "switch", "templates"]
