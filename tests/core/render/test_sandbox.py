"""A marketer is trusted with words, not with code: nothing that a template says costs more than about a second."""

from time import thread_time

import pytest

from tests.core.render.samples import fill_in
from triggers.render.liquid import RenderedMessage, RenderFailed

LONG = "a" * 50_000
BOMBS = {
    "a range": "{% for i in (1..99999999) %}x{% endfor %}",
    "a range in a filter": "{{ (1..200000000) | join }}",
    "a range beyond all numbers": "{{ (1..99999999999999999999999) | size }}",
    "loops in loops": "{% for i in (1..900) %}{% for j in (1..900) %}x{% endfor %}{% endfor %}",
    "loops after loops": "{% for i in (1..1000) %}{% endfor %}" * 2_500,
    "work without output": "{% for i in (1..1000) %}" + "{% if true %}{% endif %}" * 4_000 + "{% endfor %}",
    "names": "{% for i in (1..1000) %}" + "{% assign a = 1 %}" * 4_000 + "{% endfor %}",
    "text doubled": "{% assign s = 'aa' %}{% for i in (1..99) %}{% assign s = s | append: s %}{% endfor %}",
    "lists doubled": "{% assign a = 'a' | split: '' %}{% for i in (1..50) %}{% assign a = a | concat: a %}{% endfor %}",
    "numbers squared": "{% assign x = 999 %}{% for i in (1..99) %}{% assign x = x | times: x %}{% endfor %}",
    "replacing": f"{{% assign s = '{LONG}' %}}{{{{ s | replace: '', s | size }}}}",
    "joining": f"{{% assign s = '{LONG}' %}}{{{{ s | split: '' | join: s | size }}}}",
    "comparing": f"{{{{ '{LONG}' | split: '' | uniq | size }}}}",
    "captures": "{% for i in (1..999) %}{% capture x %}{{ x }}{{ x }}aaaaaaaaaa{% endcapture %}{% endfor %}",
    "a date's pattern": "{{ event.occurred_at | date: '" + "%A" * 1_000 + "' }}",
    "nesting": "{% if true %}" * 3_000 + "{% endif %}" * 3_000,
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_an_error_within_seconds(bomb: str) -> None:
    start = thread_time()

    result = fill_in(html=bomb, allows_empty=True)

    assert isinstance(result, RenderFailed)
    assert result.reason == "template_error"
    assert thread_time() - start < 20


def test_a_long_newsletter_is_no_bomb() -> None:
    items = [{"name": f"Thing {n}", "price": n} for n in range(100)]
    row = "<tr><td>{{ item.name | upcase | truncate: 20 }}</td><td>{{ item.price | times: 2 }}</td></tr>"
    html = "<table>{% for item in items %}" + row * 5 + "{% endfor %}</table>" + "<p>words</p>" * 500

    result = fill_in(html=html, variables={"items": items, "now": "", "time_zone": "UTC"})

    assert isinstance(result, RenderedMessage)


@pytest.mark.parametrize("tag", ["include 'x'", "render 'x'", "extends 'x'", "block x"])
def test_no_tag_reads_another_file(tag: str) -> None:
    result = fill_in("{% " + tag + " %}")

    assert isinstance(result, RenderFailed)
    assert "unexpected tag" in result.detail


@pytest.mark.parametrize("html", ["<div>" * 30_000, "<table><tr><td>" * 3_000, "<" * 100_000, "<!--", "&#" * 9_000])
def test_no_html_is_too_strange_for_a_text_part(html: str) -> None:
    assert isinstance(fill_in(html=html), RenderedMessage)


@pytest.mark.parametrize(
    "subject",
    ["{{ event.price | divided_by: 0 }}", "{{ 'x' | round: 99999999999999999999 }}", "{{ '1e999999999' | ceil }}"],
)
def test_impossible_sums_are_errors(subject: str) -> None:
    assert isinstance(fill_in(subject), RenderFailed | RenderedMessage)
