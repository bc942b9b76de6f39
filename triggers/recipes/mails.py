"""The messages of the recipes: HTML in `mails/`, one layout around each."""

from dataclasses import dataclass
from pathlib import Path
from string import Template as Text

_FOLDER = Path(__file__).parent / "mails"
_SHOP = "https://www.example.com/"


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A template to begin with. `file` is its HTML; `preheader` what a mail client shows beside the subject."""

    name: str
    subject: str
    preheader: str
    file: Path


RECIPE_MAILS = {
    "welcome_back": Mail(
        name="Welcome back",
        subject='{{ user.first_name | default: "Hello" }}, it has been a while',
        preheader="Some things are new.",
        file=_FOLDER / "welcome_back.html",
    ),
    "cart_left": Mail(
        name="Cart reminder",
        subject="You left something in your cart",
        preheader="It is as you left it.",
        file=_FOLDER / "cart_left.html",
    ),
    "session_without_checkout": Mail(
        name="Help before the checkout",
        subject="Can we help?",
        preheader="A person reads your answer.",
        file=_FOLDER / "session_without_checkout.html",
    ),
}


def compose_html(
    mail: Mail,
    *,
    shop_url: str = _SHOP,
    brand: str = "Your shop",
    footer: str = "Your shop, your street 1, your town",
) -> str:
    """Return the whole HTML; what is left out is a place for the marketer to fill in."""
    body = Text(mail.file.read_text()).substitute(shop_url=shop_url)
    return Text((_FOLDER / "layout.html").read_text()).substitute(
        title=brand, brand=brand, footer=footer, preheader=mail.preheader, body=body.strip()
    )
