"""The cast of the webhooks: a shop and a payment provider that sign what they send."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from django.test import Client

from engagement.lib.seal import seal
from tracking.hooks.diary import get_diary
from tracking.hooks.known import forget_hooks
from tracking.models import Hook, Source

SECRET = "the shop's secret"
CHECKOUT: dict[str, Any] = {
    "id": 7,
    "token": "c1",
    "updated_at": "2026-01-05T10:04:00-05:00",
    "email": "ada@example.com",
    "total_price": "398.00",
    "line_items": [{"sku": "lamp"}, {"sku": "bulb"}],
    "customer": {"id": 603851970716743426},
}
MAPPING: dict[str, Any] = {
    "event": "checkout_abandoned",
    "user_id": "$.customer.id",
    "email": "$.email",
    "message_id": "header:X-Shopify-Webhook-Id",
    "properties": [
        {"name": "checkout_id", "place": "$.token"},
        {"name": "skus", "place": "$.line_items[*].sku"},
    ],
}


def make_hook(source: Source, name: str = "checkout", *, style: str = "hmac_base64", **fields: Any) -> Hook:
    """Make a hook; `mapping` changes parts of the shop's own."""
    mapping = MAPPING | fields.pop("mapping", {})
    hook = Hook.objects.create(
        source=source, name=name, style=style, secret=seal(fields.pop("secret", SECRET)), mapping=mapping, **fields
    )
    forget_hooks()
    return hook


def remap(hook: Hook, **changes: Any) -> None:
    """Mend a hook's mapping."""
    Hook.objects.filter(pk=hook.pk).update(mapping=hook.mapping | changes)
    hook.refresh_from_db()
    forget_hooks()


def send(hook: Hook, payload: Any, *, secret: str = SECRET, client: Any = None, **headers: str) -> Any:
    """Send a payload as Shopify does."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signature = base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
    given = {"X-Shopify-Hmac-Sha256": signature} | {name.replace("_", "-"): value for name, value in headers.items()}
    address = f"/hooks/{hook.source_id}/{hook.name}"
    answer = (client or Client()).post(address, body, content_type="application/json", headers=given)
    get_diary().flush()
    return answer


def sign_as_stripe(body: bytes, secret: str, at: float | None = None) -> str:
    """Return Stripe's header."""
    seconds = str(int(at or time.time()))
    return f"t={seconds},v1={hmac.new(secret.encode(), seconds.encode() + b'.' + body, hashlib.sha256).hexdigest()}"
