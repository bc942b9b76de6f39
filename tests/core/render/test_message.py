"""What a person reads: escaping, headers, dates, the text made from the HTML."""

from datetime import UTC, datetime

import pytest

from tests.core.render.samples import fill_in, make_variables, read_subject
from triggers.render.liquid import RenderedMessage, RenderFailed


def test_the_html_escapes_and_the_other_parts_do_not() -> None:
    variables = make_variables(properties={"sku": "<b>&"})

    message = fill_in("{{ event.sku }}", html="{{ event.sku }}", text="{{ event.sku }}", variables=variables)

    assert message == RenderedMessage(subject="<b>&", html="&lt;b&gt;&amp;", text="<b>&")


@pytest.mark.parametrize("name", ["safe", "escapejs"])
def test_no_filter_lets_strangers_write_html(name: str) -> None:
    assert fill_in("{{ event.sku | " + name + " }}") == RenderFailed(
        reason="template_error", detail=f"unknown filter '{name}'"
    )


@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r", "\x00", "\x0b", "\x1c", "\x85", "\u2028"])
def test_nothing_can_end_a_header(line_end: str) -> None:
    variables = make_variables(properties={"sku": f"a{line_end}Bcc: eve@example.com"})

    subject = read_subject("{{ event.sku }}", variables=variables)

    assert len(subject.splitlines()) == 1
    assert subject.startswith("a")


def test_what_no_database_can_hold_is_left_out() -> None:
    message = fill_in(html='<p>a{{ "%00%0B" | url_decode }}b</p>', text='a{{ "AA==" | base64_decode }}b')

    assert isinstance(message, RenderedMessage)
    assert (message.html, message.text) == ("<p>ab</p>", "ab")


def test_the_text_is_made_from_the_html_when_left_empty() -> None:
    message = fill_in(html='<h1>Hello</h1><p>See <a href="https://shop.example">your cart</a>.</p>', text=" ")

    assert isinstance(message, RenderedMessage)
    assert message.text.splitlines()[0] == "Hello"
    assert "[your cart](https://shop.example)" in message.text


@pytest.mark.parametrize(
    ("traits", "installation", "expected"),
    [
        ({"timezone": "Asia/Tokyo"}, "UTC", "2 March 08:30"),
        ({}, "Europe/Berlin", "2 March 00:30"),
        ({"timezone": "Mars/Base"}, "UTC", "1 March 23:30"),
        ({"timezone": ["x"]}, "UTC", "1 March 23:30"),
    ],
)
def test_a_date_shows_in_the_zone_of_who_reads_it(traits: dict[str, object], installation: str, expected: str) -> None:
    variables = make_variables(traits=traits, time_zone=installation)

    assert read_subject('{{ event.occurred_at | date: "%-d %B %H:%M" }}', variables=variables) == expected


@pytest.mark.parametrize("word", ['"now"', "now", '"today"'])
def test_now_is_the_moment_at_which_the_message_is_made(word: str) -> None:
    variables = make_variables(now=datetime(2027, 5, 6, tzinfo=UTC))

    assert read_subject(f'{{{{ {word} | date: "%Y-%m-%d" }}}}', variables=variables) == "2027-05-06"


def test_what_is_no_date_stays_as_it_is() -> None:
    assert read_subject('{{ event.sku | date: "%Y" }}') == "lamp"


def test_an_event_gives_its_properties_under_both_names() -> None:
    assert read_subject("{{ event.sku }} {{ event.properties.sku }} {{ event.cart.id }}") == "lamp lamp 7"


def test_a_property_cannot_hide_what_every_event_has() -> None:
    variables = make_variables(properties={"name": "x"})

    assert read_subject("{{ event.name }} {{ event.properties.name }}", variables=variables) == "add_to_cart x"
