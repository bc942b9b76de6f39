"""How well-known systems send their webhooks: what the form fills in, and a payload to try it on. Pure."""

from typing import Any

import msgspec

from tracking.wire.hooks.mapping import Mapping, PropertyRow


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A sender. `style` names a row of STYLES; `example` and `headers` are a payload as it sends them."""

    name: str
    title: str
    style: str
    header: str = ""
    hint: str
    mapping: Mapping
    headers: dict[str, str] = {}
    example: Any = None


def _row(name: str, place: str) -> PropertyRow:
    return PropertyRow(name=name, place=place)


_CHECKOUT = {
    "id": 981820079255243537,
    "token": "123123123",
    "email": "ada@example.com",
    "created_at": "2026-01-05T10:00:00-05:00",
    "updated_at": "2026-01-05T10:04:00-05:00",
    "currency": "EUR",
    "total_price": "398.00",
    "abandoned_checkout_url": "https://shop.example/checkouts/123123123/recover",
    "line_items": [{"sku": "LAMP-1", "title": "Lamp", "quantity": 2, "price": "199.00"}],
    "customer": {"id": 603851970716743426, "email": "ada@example.com", "first_name": "Ada"},
}
_PAYMENT = {
    "id": "evt_1NG8Du2eZvKYlo2CUI79vXWy",
    "object": "event",
    "created": 1767607440,
    "type": "invoice.payment_failed",
    "data": {
        "object": {
            "id": "in_1MtHbELkdIwHu7ixl4OzzPMv",
            "object": "invoice",
            "customer": "cus_NeZwdNtLEOXuvB",
            "customer_email": "ada@example.com",
            "amount_due": 1900,
            "currency": "eur",
            "hosted_invoice_url": "https://invoice.example/i/1",
        }
    },
}
_PULL_REQUEST = {
    "action": "opened",
    "number": 2,
    "pull_request": {
        "title": "Update the README",
        "html_url": "https://github.com/ada/engine/pull/2",
        "created_at": "2026-01-05T10:04:00Z",
    },
    "repository": {"full_name": "ada/engine"},
    "sender": {"login": "ada", "id": 21031067},
}
_CONTACT = {
    "type": "contact.created",
    "timestamp": "2026-01-05T10:04:00.000Z",
    "data": {"id": "1f81eb52-5198-4599-803e-771906343485", "user_id": "ada", "plan": "gold"},
}
_FORM = {"user_id": "ada", "form": "newsletter", "sent_at": "2026-01-05T10:04:00Z"}

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="shopify",
            title="Shopify",
            style="hmac_base64",
            hint="The secret stands in Shopify's admin under Settings → Notifications → Webhooks; for an app it is the "
            "client secret.",
            mapping=Mapping(
                event="header:X-Shopify-Topic",
                names={"checkouts/create": "checkout_started", "checkouts/update": "checkout_updated"},
                user_id="$.customer.id",
                email="$.email",
                email_as_user_id=True,
                message_id="header:X-Shopify-Webhook-Id",
                time="$.updated_at",
                properties=[
                    _row("checkout_id", "$.token"),
                    _row("total", "$.total_price"),
                    _row("currency", "$.currency"),
                    _row("skus", "$.line_items[*].sku"),
                    _row("url", "$.abandoned_checkout_url"),
                ],
            ),
            headers={
                "x-shopify-topic": "checkouts/create",
                "x-shopify-webhook-id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
            },
            example=_CHECKOUT,
        ),
        Preset(
            name="stripe",
            title="Stripe",
            style="stripe",
            hint="The secret begins with whsec_ and stands in Stripe's dashboard beside the endpoint.",
            mapping=Mapping(
                event="$.type",
                names={"invoice.payment_failed": "payment_failed", "checkout.session.expired": "checkout_expired"},
                others="ignore",
                user_id="$.data.object.customer",
                email="$.data.object.customer_email",
                message_id="$.id",
                time="$.created",
                properties=[
                    _row("amount", "$.data.object.amount_due"),
                    _row("currency", "$.data.object.currency"),
                    _row("url", "$.data.object.hosted_invoice_url"),
                ],
            ),
            example=_PAYMENT,
        ),
        Preset(
            name="github",
            title="GitHub",
            style="hmac_hex",
            header="X-Hub-Signature-256",
            hint="You choose the secret: give it to GitHub when you add the webhook. Either content type will do.",
            mapping=Mapping(
                event="header:X-GitHub-Event",
                user_id="$.sender.login",
                message_id="header:X-GitHub-Delivery",
                properties=[_row("action", "$.action"), _row("repository", "$.repository.full_name")],
            ),
            headers={"x-github-event": "pull_request", "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"},
            example=_PULL_REQUEST,
        ),
        Preset(
            name="standard",
            title="Standard Webhooks",
            style="standard",
            hint="Svix and all who follow standardwebhooks.com. The secret begins with whsec_.",
            mapping=Mapping(
                event="$.type",
                user_id="$.data.user_id",
                message_id="header:webhook-id",
                time="$.timestamp",
                properties=[_row("plan", "$.data.plan")],
            ),
            headers={"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek"},
            example=_CONTACT,
        ),
        Preset(
            name="secret",
            title="Shared secret",
            style="header",
            header="X-Webhook-Secret",
            hint="For senders that cannot sign but can send a header of your choice.",
            mapping=Mapping(
                event="form_sent",
                user_id="$.user_id",
                time="$.sent_at",
                properties=[_row("form", "$.form")],
            ),
            example=_FORM,
        ),
    )
}
