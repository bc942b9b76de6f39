"""Which ids stand for nobody, and what becomes of an item that has one."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.event import ALIAS, GROUP, Item
from tracking.given_ids import _LISTED, _SAYS_NOTHING, MARK, allow_ids, choose_id, drop_placeholders, means_nobody
from tracking.schema.validate import check_item

NOBODY = [
    "undefined",
    " Undefined ",
    "NULL",
    "None",
    "nil",
    "<nil>",
    "(null)",
    "'null'",
    '"undefined"',
    "NaN",
    "Infinity",
    "[object Object]",
    "[object Promise]",
    "[]",
    "{}",
    "true",
    "False",
    "",
    "   ",
    "\u200b",
    "0",
    "00",
    "0.0",
    "-1",
    "-",
    "00000000-0000-0000-0000-000000000000",
    "0" * 32,
    "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
    "anonymous",
    "Guest",
    "unknown",
    "n/a",
    "(not set)",
    "user_id",
    "<user_id>",
    "{userId}",
    "{{ user.id }}",
    "{{user_id}}",
    "{% user %}",
    "${userId}",
    "#{user.id}",
    "%{user_id}",
    "%USER_ID%",
    "<%= user.id %>",
    "*|USER_ID|*",
    "[[user.id]]",
    "9774d56d682e549c",
    "AnonymousUser",
    "anonymousUser",
    "not-logged-in",
    "Optional(nil)",
    "NSNull",
    "\\N",
    "#N/A",
    "-inf",
    "Symbol()",
    "undefined%20",
    "%22undefined%22",
    "null,null",
    "undefined@undefined",
    "un\u200bdefined",
    "undefined.",
    "YOUR_USER_ID",
    "__USER_ID__",
    ":user_id",
    "$USER_ID",
    " $USER_ID ",
    " {{ user.id }}",
    "%s",
    "<?= $user->id ?>",
    "{customer.id}",
    "user-id",
    "user id",
    "ff:ff:ff:ff:ff:ff",
    "004999010640000",
    "02:00:00:00:00:00",
    # Encoded, in a list, with something behind it, in other letters, with what nobody sees.
    "%7B%7Bcustomer.id%7D%7D",
    "[object%20Object]",
    "[object Object],[object Object]",
    "undefined,undefined",
    "NaN-1",
    "undefined-1",
    "undefined-0",
    "null.0",
    "null,0",
    "0,0",
    "+0",
    "0e0",
    "0n",
    "0x0",
    "-1.0",
    "%00",
    "\0",
    "void 0",
    "\uff10",
    "\uff4e\uff55\uff4c\uff4c",
    "\u3164",
    "\u2800",
    "\u00ad",
    "nu\u00adll",
    "*",
    "?",
    "***",
    "--",
    # Places that nobody filled in.
    "[%user_id%]",
    "{$userId}",
    "{!Contact.Id}",
    "@@ID@@",
    "##USER_ID##",
    "@{user.id}",
    "YOUR_USER_ID_HERE",
    "user-{{user.id}}",
    "user-${id}",
    "user-%s",
    "{{user.id}}-1",
    # No value, behind a prefix.
    "user-undefined",
    "user_null",
    "customer:None",
    "user-",
    "nullptr",
    "DBNull",
    "Some(None)",
    "#REF!",
    "#DIV/0!",
    # An address stands for a user id.
    "none@none.com",
    "guest@guest.com",
    "undefined@undefined.undefined",
    "null@example.com",
]
UUID4 = "6f4d9f54-265b-4b90-814c-d7017e14e736"
SOMEBODY = [
    "1",
    "10",
    "-2",
    "ada",
    "ada@shop.example",
    "0xada",
    "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}",
    "guest-17",
    "user:42",
    "null-island",
    "Ünal",
    "auth0|5f7c",
    "100%",
    "<ada@shop.example>",
    "o'neill",
    "$company_acme",
    "user-0",
    "guest-1",
    "id-1",
    "ada@null.example",
    "guest@shop.example",
    "user@example.com",
    "nina",
    "true-north",
    "void",
    "object",
    "100%25",
    "a%20b",
    "\u4f60\u597d",
    "{deadbeef-01}",
    "x0",
    "n",
    "acme:undefined",
]


@pytest.fixture
def allowed() -> Iterator[None]:
    allow_ids(["Guest", " 0 "])
    yield
    allow_ids([])


def item(name: str = "add_to_cart", **fields: object) -> Item:
    return Item(index=0, name=name, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("given_id", NOBODY)
def test_an_id_that_no_system_gives_means_nobody(given_id: str) -> None:
    assert means_nobody(given_id)


@pytest.mark.parametrize("given_id", sorted(_LISTED | _SAYS_NOTHING))
def test_what_is_listed_means_nobody_however_it_is_written(given_id: str) -> None:
    for written in (given_id, given_id.upper(), f" {given_id}", f"{given_id} ", f"'{given_id}'", f"<{given_id}>"):
        assert means_nobody(written), written


@pytest.mark.parametrize("given_id", [*SOMEBODY, UUID4, UUID4.replace("-", "")])
def test_an_id_that_a_system_may_give_means_somebody(given_id: str) -> None:
    assert not means_nobody(given_id)


@given(st.text(st.characters(codec="ascii")))
def test_case_and_blanks_around_an_id_say_nothing(text: str) -> None:
    assert means_nobody(text) == means_nobody(f" {text} ")
    if "$" not in text:
        # A variable of the shell is written in capitals: "$company_acme" may be somebody.
        assert means_nobody(text) == means_nobody(text.swapcase())


def test_an_installation_may_allow_an_id(allowed: None) -> None:
    assert not means_nobody("guest")
    assert not means_nobody("0")
    assert means_nobody("null")


def test_an_event_is_kept_under_its_other_id_and_says_so() -> None:
    dropped = drop_placeholders(item(user_id="undefined", anonymous_id="dev-a", context={"a": 1}))
    assert (dropped.user_id, dropped.anonymous_id) == (None, "dev-a")
    assert dropped.context == {"a": 1, MARK: {"user_id": "undefined"}}
    dropped = drop_placeholders(item(user_id="ada", anonymous_id="null"))
    assert (dropped.user_id, dropped.anonymous_id, dropped.context) == ("ada", None, {MARK: {"anonymous_id": "null"}})
    assert check_item(dropped) is None


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"user_id": "undefined"}, "user_id"),
        ({"anonymous_id": "null"}, "anonymous_id"),
        ({"user_id": "0", "anonymous_id": "anonymous"}, "user_id"),
        ({"name": ALIAS, "user_id": "ada", "properties": {"previous_id": "undefined"}}, "previous_id"),
        ({"name": GROUP, "user_id": "ada", "properties": {"group_id": "undefined"}}, "group_id"),
        ({"name": ALIAS, "user_id": "0", "anonymous_id": "d", "properties": {"previous_id": "d"}}, "user_id"),
    ],
)
def test_where_nothing_else_names_a_person_it_is_rejected(fields: dict[str, object], field: str) -> None:
    rejection = check_item(drop_placeholders(item(**fields)))  # type: ignore[arg-type]
    assert rejection is not None
    assert (rejection.code, rejection.field) == ("placeholder_id", field)


def test_of_several_ids_the_first_that_means_somebody_is_chosen() -> None:
    assert choose_id(None, "0", "ada", "bo") == "ada"
    assert choose_id(None, "0", "null") == "0"
    assert choose_id(None, None) is None
