"""What the shop sells. The picture of a product is templates/demo/pictures/<id>.svg, drawn for this shop."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Product:
    """One thing on the shelf; `price` in whole euros."""

    id: str
    name: str
    price: int
    line: str
    story: str

    @property
    def picture(self) -> str:
        """The template with its picture."""
        return f"demo/pictures/{self.id}.svg"


PRODUCTS = (
    Product(
        id="mug",
        name="Stoneware mug",
        price=18,
        line="Holds a slow morning",
        story="Thrown by hand, glazed twice. It keeps 350 ml warm for as long as the first chapter takes.",
    ),
    Product(
        id="lamp",
        name="Desk lamp",
        price=64,
        line="Warm light, no glare",
        story="A brass arm, a felt-lined foot and a shade that turns to where you read.",
    ),
    Product(
        id="fern",
        name="Potted fern",
        price=29,
        line="Forgives a missed week",
        story="A hardy fern in a terracotta pot. It likes shade, a sip on Sundays and being talked to.",
    ),
    Product(
        id="notebook",
        name="Linen notebook",
        price=16,
        line="192 pages, lies flat",
        story="Thread-bound and wrapped in linen, with paper that takes ink without a shadow on the next page.",
    ),
    Product(
        id="clock",
        name="Quiet clock",
        price=42,
        line="Does not tick",
        story="A sweeping hand instead of a ticking one: you see the time only when you look for it.",
    ),
    Product(
        id="headphones",
        name="Headphones",
        price=119,
        line="For deep work",
        story="Wool-covered cups, thirty hours on a charge and one button that does one thing.",
    ),
    Product(
        id="candle",
        name="Cedar candle",
        price=22,
        line="Forty hours of forest",
        story="Rapeseed wax with cedar and a little smoke, poured into a glass that is a good glass afterwards.",
    ),
    Product(
        id="kettle",
        name="Enamel kettle",
        price=58,
        line="Pours where you point",
        story="A thin spout for patient coffee, and a handle that stays cool on every kind of stove.",
    ),
)
