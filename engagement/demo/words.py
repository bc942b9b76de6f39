"""The messages of the demo: their HTML lies in `mails/`, within the layout of the recipes'."""

from pathlib import Path

from triggers.recipes.mails import Mail, compose_html

_FOLDER = Path(__file__).parent / "mails"
_CART_SUBJECT = (
    "{% if event.items.size > 1 %}Your {{ event.items.size }} things are still in the cart"
    '{% else %}{{ event.items.first.name | default: "Something good" }} is still in your cart{% endif %}'
)

DEMO_CART = Mail(
    name="Demo: cart reminder",
    subject=_CART_SUBJECT,
    preheader="We kept it for you.",
    file=_FOLDER / "demo_cart.html",
)
DEMO_SESSION = Mail(
    name="Demo: nothing for you?",
    subject="Nothing for you today?",
    preheader="Good things keep.",
    file=_FOLDER / "demo_session.html",
)
DEMO_WELCOME = Mail(
    name="Demo: welcome back",
    subject="Come back any time",
    preheader="The kettle is on.",
    file=_FOLDER / "demo_welcome.html",
)


def compose_demo_html(mail: Mail, base_url: str) -> str:
    """Return the whole HTML, with links to the shop at `base_url`."""
    footer = "This mail is from the demo shop on your own machine. It never left it."
    return compose_html(mail, shop_url=f"{base_url}/demo/", brand="Nook", footer=footer)
