"""Rules from and to JSON."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.rules.samples import make_rule, trees
from triggers.rules.definition import Abandonment, After, Inactivity, Once, RuleDefinition, SessionEnd
from triggers.rules.errors import RuleError, RuleErrorCode, RuleInvalid
from triggers.rules.nodes import Node
from triggers.rules.parse import MAX_BYTES, dump_definition, parse_definition

CART = b"""{
    "format": 1,
    "trigger": {
        "kind": "abandonment", "started_by": "add_to_cart", "ended_by": "purchase", "key": "cart_id", "after": 3600
    },
    "emits": "cart_abandonment",
    "conditions": null,
    "template": 3,
    "reentry": {"kind": "after", "seconds": 604800},
    "stale_after": null,
    "send_if_came_back": false
}"""


def find_error(raw: bytes) -> RuleError:
    with pytest.raises(RuleInvalid) as caught:
        parse_definition(raw)
    (error,) = caught.value.errors
    return error


def test_a_rule_is_read_from_its_json() -> None:
    expected = RuleDefinition(
        format=1,
        trigger=Abandonment(started_by="add_to_cart", ended_by="purchase", key="cart_id", after=3600),
        emits="cart_abandonment",
        template=3,
        reentry=After(seconds=604800),
    )
    assert parse_definition(CART) == expected
    assert parse_definition(msgspec.json.decode(CART)) == expected


def test_what_is_left_out_has_its_default() -> None:
    rule = parse_definition(b'{"format":1,"trigger":{"kind":"session_end"}}')
    assert rule.start_event == rule.emitted_event == "session_ended"
    assert rule.trigger == SessionEnd(after=900)
    assert rule.expires_after.total_seconds() == 86400
    assert make_rule(None).emitted_event is None
    assert make_rule(None).expires_after.total_seconds() == 3600


@given(conditions=trees)
def test_a_rule_survives_being_written_and_read(conditions: Node) -> None:
    rule = make_rule(conditions)
    assert parse_definition(dump_definition(rule)) == rule
    assert parse_definition(msgspec.json.decode(dump_definition(rule))) == rule


@given(st.binary(max_size=50) | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_junk_is_refused_and_never_raises_anything_else(raw: bytes) -> None:
    with pytest.raises(RuleInvalid):
        parse_definition(raw)


@pytest.mark.parametrize(
    ("raw", "code", "path", "words"),
    [
        (b'{"format":1', RuleErrorCode.MALFORMED, "$", "not JSON"),
        (b'{"format":1,"emits":"\xff"}', RuleErrorCode.MALFORMED, "$", "not JSON"),
        (b"[]", RuleErrorCode.WRONG_SHAPE, "$", "a list"),
        (b'{"format":2,"trigger":{"kind":"session_end"}}', RuleErrorCode.WRONG_SHAPE, "$.format", "2 is not"),
        (b'{"format":1}', RuleErrorCode.WRONG_SHAPE, "$", "“trigger” is missing"),
        (b'{"format":1,"trigger":{"kind":"cron"}}', RuleErrorCode.WRONG_SHAPE, "$.trigger.kind", "'cron' is not"),
        (b'{"format":1,"trigger":{"kind":"event","event":5}}', RuleErrorCode.WRONG_SHAPE, "$.trigger.event", "a text"),
        (b'{"format":1,"trigger":{"kind":"session_end"},"emit":"x"}', RuleErrorCode.WRONG_SHAPE, "$", "no part called"),
        (
            b'{"format":1,"trigger":{"kind":"session_end"},"conditions":{"node":"all","of":[{"node":"compare",'
            b'"field":{"from":"event","path":"a"},"operator":"regex","value":"("}]}}',
            RuleErrorCode.UNKNOWN_OPERATOR,
            "$.conditions.of[0].operator",
            "no such comparison",
        ),
        (b" " * (MAX_BYTES + 1), RuleErrorCode.TOO_LARGE, "$", "64 KB"),
        (
            b'{"format":1,"trigger":{"kind":"session_end"},"conditions":' + b'{"node":"not","of":' * 3000,
            RuleErrorCode.TOO_DEEP,
            "$",
            "too deep",
        ),
    ],
)
def test_an_error_has_a_code_a_place_and_a_sentence(raw: bytes, code: RuleErrorCode, path: str, words: str) -> None:
    error = find_error(raw)
    assert (error.code, error.path) == (code, path)
    assert words in error.message
    assert error.message.endswith(".")


def test_silence_may_be_given_another_name() -> None:
    rule = RuleDefinition(format=1, trigger=Inactivity(after=60), emits="gone_quiet", reentry=Once())
    assert rule.start_event == rule.emitted_event == "gone_quiet"
