"""What is wrong with a template is said when it is saved, in a sentence, at its part and line."""

import pytest

from triggers.render.liquid import Words, check_template

KNOWN = {"user": {"id", "email"}, "event": {"name", "sku", "properties"}}


@pytest.mark.parametrize(
    ("html", "code", "line"),
    [
        ("a\n\n{{ user.email", "syntax", 3),
        ("{% nope %}", "syntax", 1),
        ("a\n{{ user.email | shout }}", "unknown_filter", 2),
        ("a\nb\n{{ person.email }}", "unknown_variable", 3),
        ("{{ user.emial }}\n{{ user.emial }}", "unseen_variable", 1),
        ("x" * 100_001, "too_long", None),
        ("{% if true %}" * 500, "syntax", None),
    ],
)
def test_each_problem_has_a_code_a_part_and_a_line(html: str, code: str, line: int | None) -> None:
    (problem,) = check_template(Words(subject="Hello", html=html), KNOWN)

    assert (problem.code, problem.part) == (code, "html")
    assert problem.line == line or code == "syntax"
    assert problem.message.endswith((".", "?"))
    assert "\n" not in problem.message


def test_the_line_of_an_open_bracket_is_told() -> None:
    (problem,) = check_template(Words(subject="Hello", html="a\n\n{{ user.email"))

    assert problem.line == 3


def test_a_name_that_nobody_sent_is_only_suspicious() -> None:
    (problem,) = check_template(Words(subject="{{ event.colour }}", html="x"), KNOWN)

    assert not problem.is_error
    assert "`event.colour`" in problem.message


def test_what_is_used_well_is_no_problem() -> None:
    html = (
        "{% assign n = user.email %}{{ n }}{{ event.sku | date: '%Y' }}{{ now | date: '%Y' }}{{ source.name }}"
        "{% for item in event.properties.items %}{{ item.name }}{{ forloop.index }}{% endfor %}{{ time_zone }}"
    )

    assert check_template(Words(subject="Hello", html=html), KNOWN) == []


def test_a_message_needs_a_subject_and_a_body() -> None:
    assert [problem.part for problem in check_template(Words(subject=" "))] == ["subject", "html"]
