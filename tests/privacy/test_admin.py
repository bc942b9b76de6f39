"""Erasing and exporting on a person's page, and the receipts."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from tests.admin.conftest import Login, login  # noqa: F401
from tests.cast import evaluate, make_rule, make_template, report
from tracking.event import compute_user_profile_id
from tracking.models import Erasure, Profile, Source
from triggers.models import Destination, DestinationProgress

PAGE = f"/admin/tracking/profile/{compute_user_profile_id('ada')}"


@pytest.fixture
def ada(source: Source) -> Source:
    make_rule("Cart", trigger={"kind": "event", "event": "add_to_cart"}, template=make_template().pk)
    report("view", source=source, user_id=None, anonymous_id="phone")
    report("add_to_cart", source=source, anonymous_id="phone")
    evaluate()
    return source


def erase(client: Client, typed: str) -> tuple[int, str]:
    answer = client.post(f"{PAGE}/erase/", {"typed": typed}, follow=True)
    return answer.redirect_chain[-1][1] if answer.redirect_chain else answer.status_code, answer.content.decode()


def test_a_person_is_erased_from_their_page_once_their_id_is_typed(login: Login, ada: Source) -> None:  # noqa: F811
    client = login("Privacy")
    assert "Erase this person…" in client.get(f"{PAGE}/change/").content.decode()
    preview = client.get(f"{PAGE}/erase/")
    held = preview.context["held"]
    assert (held.events, held.decisions, held.messages, held.planned) == (4, 1, 1, 1)
    assert "1 other id of theirs included" in preview.content.decode()

    status, page = erase(client, "adam")
    assert (status, "That is not their id." in page) == (200, True)
    assert not Erasure.objects.exists()

    status, page = erase(client, "ada")
    assert (status, "Being erased." in page) == (302, True)
    evaluate()

    receipt = client.get(f"/admin/tracking/erasure/{Erasure.objects.get().pk}/change/").content.decode()
    assert "Done" in receipt
    assert "messages that were planned and not sent" in receipt
    assert not Profile.objects.exists()


def test_receipts_are_listed_for_operators_and_name_nobody(login: Login, ada: Source) -> None:  # noqa: F811
    erase(login("Privacy"), "ada")
    evaluate()

    page = login("Operator").get("/admin/tracking/erasure/").content.decode()

    assert "done" in page
    assert str(compute_user_profile_id("ada")) not in page


def test_all_that_is_held_comes_as_a_file(login: Login, ada: Source) -> None:  # noqa: F811
    answer: Any = login("Privacy").get(f"{PAGE}/export/")

    assert answer["Content-Disposition"].startswith('attachment; filename="person-')
    assert len(json.loads(b"".join(answer.streaming_content))["activations"]) == 1


@pytest.mark.parametrize("group", ["Marketer", "Developer", "Operator"])
def test_nobody_else_erases_or_exports(login: Login, ada: Source, group: str) -> None:  # noqa: F811
    client = login(group)

    assert client.get(f"{PAGE}/erase/").status_code == 403
    assert client.post(f"{PAGE}/erase/", {"typed": "ada"}).status_code == 403
    assert client.get(f"{PAGE}/export/").status_code == 403
    assert "Erase this person" not in client.get(f"{PAGE}/change/").content.decode()
    assert not Erasure.objects.exists()


def test_a_person_who_is_gone_cannot_be_erased_again(login: Login, log: None) -> None:  # noqa: F811
    assert login("Privacy").get(f"/admin/tracking/profile/{uuid4()}/erase/").status_code == 404


def test_before_somebody_is_erased_it_is_said_who_was_sent_copies(login: Login, ada: Source) -> None:  # noqa: F811
    client = login("Privacy")
    assert "erase them there too" not in client.get(f"{PAGE}/erase/").content.decode()
    for name, sent_at in (("Warehouse", datetime.now(UTC)), ("Not yet", None)):
        destination = Destination.objects.create(name=name, kind="webhook")
        DestinationProgress.objects.create(destination=destination, sent_at=sent_at)

    page = client.get(f"{PAGE}/erase/").content.decode()
    assert "Copies of what people did have gone to Warehouse. Whatever of this person is among them stays there" in page
