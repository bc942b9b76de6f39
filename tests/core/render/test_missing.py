"""A message with an empty place is not sent: "Hi ," is worse than nothing."""

import pytest

from tests.core.render.samples import make_variables, read_subject


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("Hi {{ user.first_name }},", "user.first_name"),
        ("Hi {{ user.nickname }},", "user.nickname"),
        ("Hi {{ user.first_name | capitalize }},", "user.first_name"),
        ('Hi {{ user.first_name | append: "," }}', "user.first_name"),
        ('{{ "Hi " | append: user.first_name }},', "user.first_name"),
        ("Hi {{ user.first_name | default: user.nickname }},", "user.nickname"),
        ("Hi {% echo user.first_name %},", "user.first_name"),
        ("Hi {% cycle user.first_name, user.nickname %},", "user.first_name"),
        ('{% assign hello = "Hi " | append: user.first_name %}{{ hello }},', "user.first_name"),
        ("{% assign double = event.amount | times: 2 %}{{ double }} EUR", "event.amount"),
        ("{{ event.amount | times: 2 }} EUR", "event.amount"),
        ("{% capture name %}{{ user.first_name }}{% endcapture %}Hi {{ name }}", "user.first_name"),
        ("{% for item in event.items %}{{ item.colour }}{% endfor %}", "item.colour"),
        ('{{ event.items | map: "colour" | join: ", " }}', "event.items"),
        ("Hi {{ user.first }},", "user.first"),
        ("{{ user.size }}", "user.size"),
        ('{{ user["first name"] }}', "user['first name']"),
    ],
)
def test_a_place_that_would_be_empty_is_named(subject: str, name: str) -> None:
    assert read_subject(subject) == f"missing_variable: {name}"


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ('Hi {{ user.first_name | default: "you" }}', "Hi you"),
        ('Hi {{ user.first_name | capitalize | default: "you" }}', "Hi you"),
        ('Hi{{ user.first_name | default: "" }}', "Hi"),
        ("Hi {{ user.nickname | default: user.id }}", "Hi ada"),
        ("{% if user.first_name %}Hi {{ user.first_name }}{% else %}Hello{% endif %}", "Hello"),
        ('{% assign n = user.first_name | capitalize %}{% if n == "" %}Hello{% endif %}', "Hello"),
        ("{% assign n = event.wishes | size %}{% if n == 0 %}None{% endif %}", "None"),
        ("{% for wish in event.wishes %}{{ wish }}{% else %}None{% endfor %}", "None"),
        ("{{ event.price | minus: 12 }} EUR", "0 EUR"),
        ('{{ "" }}Hello', "Hello"),
        ("{{ event.items | size }} things", "2 things"),
        ('{{ user.tags }} {{ user.tags | join: "+" }}', "ab a+b"),
    ],
)
def test_a_condition_a_default_and_a_zero_are_no_empty_place(subject: str, expected: str) -> None:
    assert read_subject(subject) == expected


def test_a_template_may_choose_empty_places() -> None:
    assert read_subject("Hi {{ user.first_name }},", allows_empty=True) == "Hi ,"


@pytest.mark.parametrize(
    "subject", ["{{ event.cart }}", "{{ event.items }}", "{{ event.items | join }}", "{{ event.cart | upcase }}"]
)
@pytest.mark.parametrize("allows_empty", [True, False])
def test_a_group_of_values_is_never_shown_as_code(subject: str, allows_empty: bool) -> None:
    assert "name the one that is meant" in read_subject(subject, allows_empty=allows_empty)


HUGE = {"huge": 10**320, "big": 1e308, "infinite": float("inf"), "text": "1e999", "word": "NaN", "list": ["1e999", 1]}


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("{{ event.big | times: 10 }} EUR", "event.big"),
        ("{{ event.big | times: event.big }} EUR", "event.big"),
        ('{{ event.big | times: 10 | append: " EUR" }}', "event.big"),
        ("{{ event.big | divided_by: 0.1 }} EUR", "event.big"),
        ("{{ event.big | plus: event.infinite }} EUR", "event.infinite"),
        ("{{ event.huge | divided_by: 3.5 }} EUR", "event.huge"),
        ("{{ event.huge | times: 1.5 }} EUR", "event.huge"),
        ("{{ event.text | times: 2 }} EUR", "event.text"),
        ("{{ event.text | at_most: 5 }} EUR", "event.text"),
        ("{{ event.text | abs }} EUR", "event.text"),
        ("{{ event.text | round }} EUR", "event.text"),
        ("{{ event.word | plus: 1 }} EUR", "event.word"),
        ("{{ event.price | plus: event.word }} EUR", "event.price"),
        ("{{ event.list | sum }} EUR", "event.list"),
        ("{{ event.infinite }} EUR", "event.infinite"),
        ('{{ event.infinite | append: " EUR" }}', "event.infinite"),
        ("{{ event.infinite | date: '%d' }}", "event.infinite"),
        ("{% cycle event.infinite, event.price %} EUR", "event.infinite"),
        ("{% assign total = event.big | times: 10 %}{{ total }} EUR", "total"),
        ("{{ 'inf' | plus: 1 }} EUR", "'inf'"),
        (f"{{{{ {'9' * 400}.0 }}}} EUR", "inf"),
    ],
)
def test_what_is_no_finite_number_has_no_value(subject: str, name: str) -> None:
    variables = make_variables(properties={"price": 12} | HUGE)

    assert read_subject(subject, variables=variables) == f"missing_variable: {name}"
    empty = read_subject(subject, variables=variables, allows_empty=True).lower()
    assert not any(word in empty for word in ("inf", "nan", "1e999", "overflow"))


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("{{ event.big | times: 10 | default: 'a lot' }}", "a lot"),
        ("{{ event.text | plus: 1 | default: 0 }}", "0"),
        ("{{ event.word }} and {{ event.text }}", "NaN and 1e999"),
    ],
)
def test_a_default_and_a_text_stay_what_they_are(subject: str, expected: str) -> None:
    assert read_subject(subject, variables=make_variables(properties=HUGE)) == expected
