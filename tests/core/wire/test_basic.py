"""Basic authentication as anybody may write it."""

import pytest

from tracking.wire.basic import read_basic
from tracking.wire.request import WireError, WireRequest


@pytest.mark.parametrize("given", ["\xe9\xe9", "####", "YQ", "/w==", "YTpi\u2028"])
def test_what_is_damaged_is_refused_in_words(given: str) -> None:
    request = WireRequest(method="POST", path="/v1/batch", headers={"authorization": f"Basic {given}"}, body=b"")
    with pytest.raises(WireError) as refused:
        read_basic(request)
    assert (refused.value.status, refused.value.code) == (401, "unknown_key")
