"""The line with which a newcomer sends a first event."""

import json

from engagement.demo.origins import find_demo_source


def compose_first_curl(base_url: str) -> str:
    """Return a curl line, with the demo source's write key, that works when pasted; '' before the demo is loaded."""
    source = find_demo_source()
    if source is None:
        return ""
    event = json.dumps({"event": "add_to_cart", "product_id": "12345", "user_id": "ada"}, separators=(",", ":"))
    return (
        f"curl -X POST {base_url}/track-event -H 'Authorization: Bearer {source.write_key}' "
        f"-H 'Content-Type: application/json' -d '{event}'"
    )
