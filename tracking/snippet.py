"""What a page's developer copies: it loads `/tracker.js` and keeps the calls made before that has loaded. Pure."""

from html import escape

_STUB = (
    'window.engagement||(window.engagement=[],["track","identify","page","reset","optIn","optOut"]'
    ".forEach(m=>engagement[m]=(...a)=>engagement.push([m,...a])))"
)


def write_snippet(address: str, write_key: str, attributes: str = "data-page-views") -> str:
    """Return the HTML for every page of a site; `address` is the platform's, such as https://events.shop.example."""
    script = f'<script async src="{escape(address)}/tracker.js" data-key="{escape(write_key)}"'
    return f"<script>{_STUB}</script>\n{script}{attributes and ' ' + attributes}></script>"
