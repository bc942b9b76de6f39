"""The rules that come with the product, as drafts to start from."""

from typing import Final

from msgspec import Struct

from triggers.rules.definition import Abandonment, After, Inactivity, RuleDefinition, SessionEnd
from triggers.rules.nodes import All, Never

HOUR: Final = 3600
DAY: Final = 86400


class Recipe(Struct, frozen=True, kw_only=True):
    """A rule to start from. `key` is stable."""

    key: str
    name: str
    description: str
    definition: RuleDefinition


WELCOME_BACK: Final = Recipe(
    key="welcome_back",
    name="Welcome back after 14 days",
    description="For people who have done nothing for two weeks: say what is new, at most once a month.",
    definition=RuleDefinition(
        format=1,
        trigger=Inactivity(after=14 * DAY),
        emits="user_inactive",
        reentry=After(seconds=30 * DAY),
    ),
)

CART_LEFT: Final = Recipe(
    key="cart_left",
    name="Cart left for an hour",
    description="For people who put something into a cart and do not buy it: remind them, at most once a day.",
    definition=RuleDefinition(
        format=1,
        trigger=Abandonment(started_by="add_to_cart", ended_by="purchase", key="cart_id", after=HOUR),
        emits="cart_abandonment",
        reentry=After(seconds=DAY),
    ),
)

SESSION_WITHOUT_CHECKOUT: Final = Recipe(
    key="session_without_checkout",
    name="Session ended without checkout",
    description="For people who leave without reaching the checkout or buying: offer help, at most once a week.",
    definition=RuleDefinition(
        format=1,
        trigger=SessionEnd(after=15 * 60),
        emits="session_ended",
        # A session's own length is not a window; four hours hold nearly every one, and the visit before it as well.
        conditions=All(
            of=(Never(event="checkout", within=4 * HOUR), Never(event="purchase", within=4 * HOUR)),
        ),
        reentry=After(seconds=7 * DAY),
    ),
)

RECIPES: Final = (WELCOME_BACK, CART_LEFT, SESSION_WITHOUT_CHECKOUT)
