"""The templates that come with the demo and the recipes. Their HTML lies in `mails/`, one layout around each."""

from dataclasses import dataclass
from pathlib import Path
from string import Template as Text

_FOLDER = Path(__file__).parent / "mails"
_EXAMPLE = "https://www.example.com/"
_CART_SUBJECT = (
    "{% if event.items.size > 1 %}Your {{ event.items.size }} things are still in the cart"
    '{% else %}{{ event.items.first.name | default: "Something good" }} is still in your cart{% endif %}'
)


@dataclass(frozen=True, kw_only=True)
class Words:
    """A template to load. `file` is its HTML; `preheader` what a mail client shows beside the subject."""

    name: str
    subject: str
    preheader: str
    file: str
    is_demo: bool


DEMO_CART = Words(
    name="Demo: cart reminder",
    subject=_CART_SUBJECT,
    preheader="We kept it for you.",
    file="demo_cart.html",
    is_demo=True,
)
DEMO_SESSION = Words(
    name="Demo: nothing for you?",
    subject="Nothing for you today?",
    preheader="Good things keep.",
    file="demo_session.html",
    is_demo=True,
)
DEMO_WELCOME = Words(
    name="Demo: welcome back",
    subject="Come back any time",
    preheader="The kettle is on.",
    file="demo_welcome.html",
    is_demo=True,
)
RECIPE_WORDS = {
    "welcome_back": Words(
        name="Welcome back",
        subject='{{ user.first_name | default: "Hello" }}, it has been a while',
        preheader="Some things are new.",
        file="welcome_back.html",
        is_demo=False,
    ),
    "cart_left": Words(
        name="Cart reminder",
        subject="You left something in your cart",
        preheader="It is as you left it.",
        file="cart_left.html",
        is_demo=False,
    ),
    "session_without_checkout": Words(
        name="Help before the checkout",
        subject="Can we help?",
        preheader="A person reads your answer.",
        file="session_without_checkout.html",
        is_demo=False,
    ),
}


def compose_html(words: Words, base_url: str) -> str:
    """Return the whole HTML. The demo's links lead to the shop at `base_url`, a recipe's to a place to be filled in."""
    shop_url = f"{base_url}/demo/" if words.is_demo else _EXAMPLE
    body = Text((_FOLDER / words.file).read_text()).substitute(shop_url=shop_url)
    demo_footer = "This mail is from the demo shop on your own machine. It never left it."
    return Text((_FOLDER / "layout.html").read_text()).substitute(
        title="Nook" if words.is_demo else "Your shop",
        brand="Nook" if words.is_demo else "Your shop",
        footer=demo_footer if words.is_demo else "Your shop, your street 1, your town",
        preheader=words.preheader,
        body=body.strip(),
    )
