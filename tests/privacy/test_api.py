"""Asking for an erasure over the API, and reading its receipt."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from tests.cast import evaluate
from tests.tracking.test_read_back import post
from tracking.models import Scope
from tracking.sources import SourceKeys, create_source

pytestmark = pytest.mark.usefixtures("log")


@pytest.fixture
def keys(log: None) -> SourceKeys:
    return create_source("Shop", scopes=Scope.values)[1]


def ask(method: str, path: str, keys: SourceKeys, **query: str) -> tuple[int, Any]:
    answer = Client().generic(
        method, path, headers={"authorization": f"Bearer {keys.secret_key}"}, query_params=query or None
    )
    return answer.status_code, answer.json()


def test_a_person_is_erased_and_the_receipt_says_when_it_is_done(keys: SourceKeys) -> None:
    post(keys, {"events": [{"event": "view", "user_id": "ada"}, {"event": "buy", "user_id": "ada"}]})
    evaluate()

    status, accepted = ask("DELETE", "/v1/profiles/ada", keys)
    assert (status, accepted["state"], accepted["counts"]) == (202, "accepted", {})
    evaluate()
    status, done = ask("GET", accepted["url"].partition("testserver")[2], keys)

    assert (status, done["id"], done["state"]) == (200, accepted["id"], "done")
    assert done["counts"] == {"event": 2, "profile": 1}
    assert ask("GET", "/v1/profiles/ada", keys)[0] == 404
    assert ask("GET", "/v1/events", keys)[1]["results"] == []


def test_asking_again_gives_the_same_receipt_until_there_is_something_new(keys: SourceKeys) -> None:
    post(keys, {"event": "view", "user_id": "ada"})
    first = ask("DELETE", "/v1/profiles/ada", keys)[1]["id"]
    assert ask("DELETE", "/v1/profiles/ada", keys)[1]["id"] == first
    evaluate()
    again = ask("DELETE", "/v1/profiles/ada", keys)
    assert (again[0], again[1]["id"], again[1]["state"]) == (202, first, "done")

    post(keys, {"event": "view", "user_id": "ada"})

    assert ask("DELETE", "/v1/profiles/ada", keys)[1]["id"] != first


def test_of_somebody_who_was_never_here_nothing_can_be_erased(keys: SourceKeys) -> None:
    assert ask("DELETE", "/v1/profiles/nobody", keys) == (
        404,
        {
            "code": "not_found",
            "field": None,
            "message": "Nothing is held of this person, and nothing was erased.",
        },
    )
    assert ask("GET", f"/v1/erasures/{uuid4()}", keys)[0] == 404


def test_somebody_who_has_not_signed_in_is_erased_by_the_sources_own_id_for_them(keys: SourceKeys) -> None:
    other = create_source("Other")[1]
    post(keys, {"event": "view", "anonymous_id": "tab"})
    post(other, {"event": "view", "anonymous_id": "tab"})
    evaluate()

    status, _ = ask("DELETE", "/v1/profiles", keys, anonymous_id="tab")
    evaluate()

    assert status == 202
    assert ask("GET", "/v1/events", keys)[1]["results"] == []
    assert len(ask("GET", "/v1/events", other)[1]["results"]) == 1


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "identity_required"),
        ({"user_id": "a", "anonymous_id": "b"}, "identity_required"),
        ({"user_id": "x" * 300}, "invalid_field"),
    ],
)
def test_a_request_that_names_nobody_is_refused(keys: SourceKeys, query: dict[str, str], code: str) -> None:
    status, body = ask("DELETE", "/v1/profiles", keys, **query)

    assert (status, body["code"]) == (400, code)


def test_an_id_with_a_slash_is_named_in_the_query(keys: SourceKeys) -> None:
    post(keys, {"event": "view", "user_id": "team/ada"})
    evaluate()

    assert ask("DELETE", "/v1/profiles", keys, user_id="team/ada")[0] == 202


def test_a_page_can_erase_nobody(keys: SourceKeys) -> None:
    post(keys, {"event": "view", "user_id": "ada"})
    for headers in ({"authorization": f"Bearer {keys.write_key}"}, {}):
        assert Client().delete("/v1/profiles/ada", headers=headers).status_code == 401


def test_all_that_is_held_comes_as_one_document(keys: SourceKeys) -> None:
    post(keys, {"events": [{"event": "view", "user_id": "ada"}, {"event": "view", "anonymous_id": "tab"}]})
    evaluate()
    headers = {"authorization": f"Bearer {keys.secret_key}"}

    for path in ("/v1/profiles/ada/export", "/v1/export?user_id=ada", "/v1/export?anonymous_id=tab"):
        answer: Any = Client().get(path, headers=headers)
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
        document = json.loads(b"".join(answer.streaming_content))
        assert [event["name"] for event in document["events"]] == ["view"]
    assert ask("GET", "/v1/profiles/nobody/export", keys)[0] == 404
    assert Client().get("/v1/profiles/ada/export").status_code == 401
