"""Deciding and delivering in the admin."""

from triggers.admin import activations, deliveries, destinations, erasures, people, rules, switch, templates

__all__ = ["activations", "deliveries", "destinations", "erasures", "people", "rules", "switch", "templates"]
