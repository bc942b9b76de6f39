"""A marketer is trusted with words, not with code: nothing that a template says costs more than about a second."""

from time import thread_time

import pytest

from tests.core.render.samples import fill_in, make_variables
from triggers.render.liquid import RenderedMessage, RenderFailed
from triggers.render.sandbox import find_filters

LONG = "a" * 50_000
ROUNDS = "{% for i in (1..1000) %}"
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
    "looking for what is not there": ROUNDS
    + "{% if "
    + " or ".join(["event.long contains 'aaaaab'"] * 60)
    + " %}{% endif %}{% endfor %}",
    "equal lists": ROUNDS + "{% if event.rows == event.others %}{% endif %}" * 2_000 + "{% endfor %}",
    "many of one": ROUNDS + "{% case event.name %}" + "{% when 'q' or 'w' %}x" * 200 + "{% endcase %}{% endfor %}",
    "one of many": ROUNDS + "{% case event.long %}{% when " + ", ".join("12" * 5_000) + " %}{% endcase %}{% endfor %}",
    "passing by": ROUNDS + "{% for x in event.rows offset: 9999 %}{% endfor %}" * 2_000 + "{% endfor %}",
    "a loop over a word": ROUNDS + f"{{% for x in '{LONG}' %}}{{% endfor %}}{{% endfor %}}",
    "a long way": ROUNDS + "{% assign x = event" + "[0]" * 20_000 + " %}{% endfor %}",
    "unchanged": ROUNDS + "{% ifchanged %}{{ event.long }}{% endifchanged %}" * 1_000 + "{% endfor %}",
    "unchanged words": (ROUNDS + f"{{% ifchanged %}}{LONG[:20_000]}{{% endifchanged %}}{{% endfor %}}") * 4
    + (ROUNDS + "{% if true %}{% endif %}" * 500 + "{% endfor %}"),
    "in turns": ROUNDS + "{% cycle " + ", ".join(["event.long"] * 8_000) + " %}{% endfor %}",
    "comparing lists in lists": "{{ event.nested | uniq | size }}",
    "brackets": "{{ event.markup | strip_html | size }}",
}
LARGE = {
    "long": "a" * 30_000,
    "rows": [{"n": number} for number in range(10_000)],
    "others": [{"n": number} for number in range(10_000)],
    "nested": [[str(number) for number in range(20_000)]],
    "words": [f"{number}" for number in range(5_000)],
    "markup": "<title>" + "<!--" * 30_000,
    "number": 12,
    "same": [[number, "x" * 9] for number in range(5_000)],
    "again": [[number, "x" * 9] for number in range(5_000)],
}


@pytest.mark.slow
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_an_error_within_seconds(bomb: str) -> None:
    start = thread_time()

    result = fill_in(html=bomb, allows_empty=True, variables=make_variables(properties=LARGE))

    assert isinstance(result, RenderFailed)
    assert result.reason == "template_error"
    assert thread_time() - start < 8


SOURCES = {
    "outputs that nothing closes": "{{" * 50_000,
    "outputs that nothing closes, apart": "{{ x " * 20_000,
    "tags that nothing closes": "{% if " * 16_000,
    "raw that nothing closes": "{% raw %}" * 11_000,
    "raw that nothing closes, trimmed": "{%- raw -%}" * 9_000,
    "docs that nothing closes": "{% doc %}" * 11_000,
    "parentheses": "{{ " + "(" * 99_000 + " }}",
    "parentheses in a tag": "{% if " + "(" * 90_000 + "a" + " %}x{% endif %}",
    "parentheses in many tags": ("{{ " + "(" * 900 + " }}") * 100,
    "blanks in an output": "{{ x" + " " * 99_000 + "y }}",
    "blanks in a tag": "{% assign x = 1" + " " * 99_000 + "y %}",
    "blanks in many tags": ("{{ x" + " " * 990 + "y }}") * 100,
    "lines in a tag": "{% if x" + "\n" * 90_000 + "y %}{% endif %}",
    "blanks before a name": "{%" + " " * 99_000 + "if %}",
}


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
def test_a_template_is_read_within_seconds(source: str) -> None:
    start = thread_time()

    result = fill_in(html=source, allows_empty=True)

    assert isinstance(result, RenderFailed)
    assert thread_time() - start < 3


@pytest.mark.parametrize(
    "source", ["{% comment %}{{ {% endcomment %}x", "{% raw %}{{{% endraw %}x", "{{ 'x' }}" + " " * 500 + "(" * 500]
)
def test_what_is_only_odd_is_filled_in(source: str) -> None:
    assert isinstance(fill_in(html=source), RenderedMessage)


OPERATORS = ("==", "!=", "<>", "<", ">", "<=", ">=", "contains")
OPERANDS = {
    "text": ("event.long", "event.long"),
    "text without it": ("event.long", "'aaaaab'"),
    "lists": ("event.same", "event.again"),
    "an item": ("event.words", "'none'"),
    "a list in a list": ("event.same", "event.again[4999]"),
}


@pytest.mark.parametrize("operands", OPERANDS)
@pytest.mark.parametrize("operator", OPERATORS)
def test_each_comparison_pays_for_what_it_compares(
    monkeypatch: pytest.MonkeyPatch, operator: str, operands: str
) -> None:
    monkeypatch.setattr("triggers.render.limits.MAX_WORK", 200_000)
    left, right = OPERANDS[operands]
    condition = " or ".join([f"{left} {operator} {right}"] * 5 + ["false"])
    html = ROUNDS + f"{{% unless {condition} %}}{{% endunless %}}{{% endfor %}}"
    if operator in ("==", "<=", ">="):
        html = html.replace(" or ", " and ")

    say_why_it_ends(html)


@pytest.mark.parametrize("name", sorted(find_filters()))
def test_each_filter_pays_for_what_it_is_given(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("triggers.render.limits.MAX_WORK", 20_000)
    details = []
    for value in ("long", "words", "same"):
        for arguments in ("", ": 3", ": 'a', 'b'", ": event.words"):
            use = f"{{% assign x = event.{value} | {name}{arguments} %}}"
            details.append(say_why_it_ends(ROUNDS + use * 10 + "{% endfor %}"))

    assert "it takes too long to fill in" in details


def say_why_it_ends(html: str) -> str:
    """Fill in what no budget allows, in the time of the smaller budget that these tests have."""
    start = thread_time()
    result = fill_in(html=html, allows_empty=True, variables=make_variables(properties=LARGE))
    assert thread_time() - start < 1
    assert isinstance(result, RenderFailed), result
    return result.detail


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
