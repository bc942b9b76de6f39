"""Rules and values that the tests of the rule language share."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from triggers.rules.definition import EventTrigger, RuleDefinition
from triggers.rules.facts import HistoryNeed
from triggers.rules.nodes import All, AnyOf, Compare, Count, Field, FromSource, Never, Node, Not, OperatorName, Value

NOW = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)
DAY = 86400

# For every operator the values that a rule may compare with, the awkward ones first.
CONSTANTS: dict[OperatorName, list[Value]] = {
    OperatorName.IS: [
        "12345",
        " 12345",
        12345,
        "007",
        7,
        0.1,
        "0.1",
        5.0,
        True,
        "true",
        "Ä",
        "12,5",
        2**63,
        9007199254740993,
    ],
    OperatorName.IS_NOT: ["12345", 12345, True, "false", "abc", 1e23],
    OperatorName.ONE_OF: [("12345", "abc"), (7, True, "x"), (0.5, 10**23), ("%", "'"), (0,)],
    OperatorName.CONTAINS: ["a", "12", "%", "_", "'", "\\", "ß", "😀", '"'],
    OperatorName.STARTS_WITH: ["1", "abc", "%", "😀", "-"],
    OperatorName.ENDS_WITH: ["5", "bc", "%", "😀", "0"],
    OperatorName.SET: [None],
    OperatorName.NOT_SET: [None],
    OperatorName.EQ: [12345, 0.1, 0, -5, 10**23, 1e23, 9007199254740993, 0.30000000000000004, 7],
    OperatorName.NE: [12345, 0.1, 0, 2**53],
    OperatorName.LT: [50, 0.1, -1, 2**63, 1e-9],
    OperatorName.LE: [12345, 0.1, 9007199254740992, 1e22],
    OperatorName.GT: [50, 0.1, 9007199254740992, -0.5, 10**299],
    OperatorName.GE: [12345, 0, 0.3, 12345678901234567890],
    OperatorName.BETWEEN: [(0, 10), (-1.5, 0.1), (12345, 12345), (2**53, 2**64)],
    OperatorName.BEFORE: [
        "2025-03-10",
        "2025-03-10T12:00:01Z",
        "2025-03-10T12:00:00Z",
        "2024-02-29",
        "2025-03-10T12:00:00.123456+05:30",
    ],
    OperatorName.AFTER: ["2025-03-10", "2025-03-10T10:00:00+02:00", "1999-12-31 23:59:59"],
    OperatorName.WITHIN_LAST: [60, DAY, 30 * DAY, 36500 * DAY],
    OperatorName.WITHIN_NEXT: [60, DAY, 30 * DAY, 36500 * DAY],
    OperatorName.CONTAINS_ANY: [("a", "12345"), (7, True), ("%",), (1e23,)],
    OperatorName.CONTAINS_ALL: [("a",), ("a", "12345"), (7, "a", True), ("a", "a")],
    OperatorName.CONTAINS_NONE: [("a", "12345"), (7, False), ("nothing",)],
}

# JSON texts, because what matters is how each side reads what was written.
_TEXTS = (
    "12345 007 7 -5 +5 5. .5 0.1 0.10 1e5 0x10 1_000 12,5 NaN Infinity true false abc ABC abcabc % a%b "
    "a_b ' \\\\ Ä ß SS 😀 a😀 ٣ １２ null - -0 00 9007199254740993 0.30000000000000004 12345.0 12345.5 -12345 "
    "2025-03-10 2025-02-29 2024-02-29 1900-02-29 2000-02-29 2025-04-31 2025-13-01 2025-3-1 0999-01-01 "
    "3000-01-01 2025-03-10T12:00:00Z 2025-03-10T12:00:00 2025-03-10T12:00 2025-03-10T12 "
    "2025-03-10T24:00:00Z 2025-03-10T11:59:30Z 2025-03-10T12:00:60Z 2025-03-10T12:00:01+00:00 "
    "2025-03-10T14:00:00+02:00 2025-03-10T14:00:00+0200 2025-03-10T14:00:00+02 2025-03-10T12:00:00.123Z "
    "2025-03-10T12:00:00.123456789Z 2025-03-10T12:00:00.9999999Z 2025-03-10T06:30:00.123456Z "
    "2025-03-10T12:00:00,5Z 2025-03-10t12:00:00z 2025-03-10T12:00:00+15:00 2025-03-10T12:00:00-14:59 "
    "20250310 2025-W11-1 2025-03-30T02:30:00 2025-02-08 2025-03-11T11:59:59Z 2025-04-09T12:00:00Z "
    "2025-04-09T12:00:01Z now today infinity epoch "
)
_NUMBERS = (
    "0 -0 0.0 -0.0 1 7 -5 50 12345 12345.0 12345.5 0.1 0.10 0.30000000000000004 1e5 1e22 1e23 1E+2 2.5e-7 "
    "9007199254740992 9007199254740993 9007199254740993.0 9223372036854775807 9223372036854775808 "
    "12345678901234567890 123456789012345678901234567890 1.2345678901234567e19 1e299 1e300 1e308 "
    "1e-299 1e-300 1e-320 5e-324 1e-400 0.1000000000000000055511151231257827"
)
_OTHERS = (
    'null true false [] {} [[]] [null] {"a":null} {"a":"b"} ["a"] ["a","12345"] [12345,"a",true] ["12345.0",7,null] '
    '[7,true,"a"] [[7],{"a":1}] ["%"] [1e23] [false,"false"] [1e308,"x"]'
)
_SPACED = [
    '""', '" "', '" 12345"', '"12345 "', '"12345\\n"', '"2025-03-10\\n"', '"2025-03-10 12:00:00"',
    '"2025-03-10 12:00"', '"a\\u0001b"', f'"{"9" * 40}"', f'"{"9" * 41}"', f'"0.{"1" * 40}"', f'"{"x" * 2000}"',
]  # fmt: skip
TEXTS = _TEXTS.split()
JSON_TEXTS = [*_NUMBERS.split(), *_OTHERS.split(), *_SPACED, *(f'"{text}"' for text in TEXTS)]


def make_rule(conditions: Node | None) -> RuleDefinition:
    return RuleDefinition(format=1, trigger=EventTrigger(event="order"), conditions=conditions)


def compare(operator: OperatorName, value: Value = None, path: str = "value") -> Compare:
    return Compare(field=Field(scope="event", path=path), operator=operator, value=value)


comparisons = st.sampled_from(list(OperatorName)).flatmap(
    lambda operator: st.builds(
        lambda value, scope, path: Compare(field=Field(scope=scope, path=path), operator=operator, value=value),
        st.sampled_from(CONSTANTS[operator]),
        st.sampled_from(["event", "profile"]),
        st.sampled_from(["a", "a.b", "items[]", "items[].a", "items[].items[].a", '"a.b"']),
    )
)
windows = st.sampled_from([None, 60, DAY])
events = st.sampled_from(["purchase", "visit"])
counts = st.builds(
    lambda event, within, operator, value: Count(event=event, within=within, operator=operator, value=value),
    events,
    windows,
    st.sampled_from([OperatorName.EQ, OperatorName.NE, OperatorName.LT, OperatorName.GE]),
    st.integers(0, 3),
)
nevers = st.builds(lambda event, within: Never(event=event, within=within), events, windows)
sources = st.builds(lambda source: FromSource(source=source), st.sampled_from([3, 4]))


def _extend(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    groups = st.lists(children, min_size=1, max_size=4).map(tuple)
    return st.one_of(
        groups.map(lambda of: All(of=of)), groups.map(lambda of: AnyOf(of=of)), children.map(lambda of: Not(of=of))
    )


trees: st.SearchStrategy[Node] = st.recursive(
    st.one_of(comparisons, counts, nevers, sources), _extend, max_leaves=8
).filter(lambda node: depth(node) <= 8)
histories = st.dictionaries(st.builds(HistoryNeed, events, windows), st.integers(0, 4), max_size=6)


def depth(node: Node) -> int:
    match node:
        case All(of=children) | AnyOf(of=children):
            return 1 + max(depth(child) for child in children)
        case Not(of=child):
            return 1 + depth(child)
    return 1


scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**25), 10**25),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([12345, 7, 0.1, 50, 0]),
    st.sampled_from(TEXTS),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
)
json_values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda children: st.one_of(
        st.lists(children, max_size=4), st.dictionaries(st.sampled_from(["a", "b", "items", "a.b"]), children)
    ),
    max_leaves=10,
)
documents = st.dictionaries(st.sampled_from(["a", "items", "a.b"]), json_values)
