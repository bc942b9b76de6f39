"""The demo's own rules: the recipes in a hurry, made so that a visitor gets one mail, and nobody else any.

Who left a cart hears of the cart; who looked closer but took nothing, of that; who looked at nothing, of the shop.
"""

from dataclasses import dataclass

import msgspec

from engagement.demo.words import DEMO_CART, DEMO_SESSION, DEMO_WELCOME
from triggers.recipes.mails import Mail
from triggers.rules.definition import Abandonment, After, Inactivity, RuleDefinition, SessionEnd
from triggers.rules.nodes import All, Compare, Count, Field, FromSource, Never, Node, OperatorName

_HOUR = 3600
_VISIT = 600
_CART_SECONDS, _SESSION_SECONDS, _QUIET_SECONDS = 30, 45, 60

_has_address: Node = Compare(field=Field(scope="profile", path="email"), operator=OperatorName.SET)
_no_cart: tuple[Node, ...] = (
    Never(event="add_to_cart", within=_VISIT),
    Never(event="purchase", within=_VISIT),
)


@dataclass(frozen=True, kw_only=True)
class DemoRule:
    """A rule to load and put in force; `definition` still lacks its template, `conditions` the demo's source."""

    name: str
    description: str
    definition: RuleDefinition
    conditions: tuple[Node, ...]
    mail: Mail

    def compose_definition(self, template_id: int, source_id: int) -> RuleDefinition:
        """Return the definition with its template, kept to the demo's source."""
        conditions = All(of=(FromSource(source=source_id), *self.conditions))
        return msgspec.structs.replace(self.definition, template=template_id, conditions=conditions)

    def compose_unbound(self, template_id: int) -> RuleDefinition:
        """Return the definition as it was loaded before there was a condition on the source."""
        return msgspec.structs.replace(self.definition, template=template_id, conditions=All(of=self.conditions))


DEMO_RULES = (
    DemoRule(
        name="Demo: cart left for 30 seconds",
        description="Reminds a visitor of the demo shop of what is in the cart.",
        mail=DEMO_CART,
        definition=RuleDefinition(
            format=1,
            trigger=Abandonment(started_by="add_to_cart", ended_by="purchase", key="cart_id", after=_CART_SECONDS),
            emits="cart_abandonment",
            stale_after=_HOUR,
        ),
        # Within the very wait: emptied since the last product went in.
        conditions=(Never(event="cart_emptied", within=_CART_SECONDS),),
    ),
    DemoRule(
        name="Demo: session ended without checkout",
        description="For a signed-in visitor who looked closely at a product and left with an empty cart.",
        mail=DEMO_SESSION,
        definition=RuleDefinition(
            format=1,
            trigger=SessionEnd(after=_SESSION_SECONDS),
            emits="session_ended",
            reentry=After(seconds=_VISIT),
            stale_after=_HOUR,
        ),
        conditions=(
            _has_address,
            Count(event="product_viewed", within=_VISIT, operator=OperatorName.GE, value=1),
            *_no_cart,
        ),
    ),
    DemoRule(
        name="Demo: welcome back after a minute",
        description="For a signed-in visitor who went quiet before looking at any product.",
        mail=DEMO_WELCOME,
        definition=RuleDefinition(
            format=1,
            trigger=Inactivity(after=_QUIET_SECONDS),
            emits="user_inactive",
            reentry=After(seconds=_VISIT),
            stale_after=_HOUR,
        ),
        conditions=(_has_address, Never(event="product_viewed", within=_VISIT), *_no_cart),
    ),
)
