"""Deliveries in the admin's templates."""

from django import template

from triggers.delivery_words import say_reason, show_state
from triggers.models import Delivery

register = template.Library()


@register.filter
def delivery_state(delivery: Delivery) -> str:
    """The state as a coloured word."""
    return show_state(delivery)


@register.filter
def delivery_reason(delivery: Delivery) -> str:
    """Why it stands where it stands."""
    return say_reason(delivery.reason, delivery.detail)
