"""A source that breaks is told where people look."""

import json

from django.test import Client

from tests.admin.conftest import Login
from tests.cast import make_source
from tracking.refusals import get_tally


def test_the_dashboard_and_the_sources_page_say_that_a_source_breaks(log: None, login: Login) -> None:
    shop = make_source()
    client = login("Developer")
    body = json.dumps({"events": [{"event": "read", "user_id": ""}] * 8})
    Client().post("/v1/events", body, content_type="application/json", headers={"x-write-key": shop.write_key})
    get_tally().flush()

    for page in ("", f"tracking/source/{shop.pk}/change/", "tracking/quarantined/"):
        assert "Shop is breaking:" in client.get(f"/admin/{page}").content.decode(), page
    assert "is breaking" not in login("Marketer").get("/admin/").content.decode()
