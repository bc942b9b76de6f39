"""What the pages about refused and held items need to say."""

from django import template

from tracking.refusal_words import say_code

register = template.Library()


@register.filter
def refusal(code: str) -> str:
    """What the code of a refusal means: completes "it …"."""
    return say_code(code)
