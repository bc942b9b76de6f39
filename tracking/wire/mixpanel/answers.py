"""What Mixpanel's clients take for success and for failure. Pure.

Most look for a text, `1` or `0`; a verbose one for JSON; the import of today for a status, with each failed record.
Whatever they look for, nothing but a lost answer, 429 and 5xx makes one of them send again.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from tracking.event import Receipt
from tracking.wire.body import inflate
from tracking.wire.dialect import Told
from tracking.wire.mixpanel.packing import asks_for, is_json
from tracking.wire.request import WireError, WireRequest, WireResponse

_TEXT = "text/plain; charset=utf-8"
_IMPORT = "/import"
_CODE = "X-Error-Code"
"""The header that holds our code: a `0` has no room for it, and the import's `code` is the status."""


def answer_reports(request: WireRequest, told: Told, receipts: Sequence[Receipt]) -> WireResponse:
    """Say what was taken: one bad item fails no other, and no request in which others were good."""
    rejected = [receipt for receipt in receipts if receipt.outcome == "rejected"]
    if _is_todays_import(request):
        return _answer_import(request, told, rejected)
    if rejected and len(rejected) == len(receipts):
        return _say_failed(request, WireError(400, rejected[0].code or "", rejected[0].message or ""))
    if not asks_for(request, "verbose"):
        return WireResponse(status=200, body=b"1", content_type=_TEXT)
    body = {"status": 1, "error": None} | ({"rejected": rejected} if rejected else {})
    return WireResponse(status=200, body=body)


def refuse(request: WireRequest, error: WireError) -> WireResponse:
    """Say why the whole request is refused."""
    if _is_todays_import(request):
        answer = _describe_import(error.status, 0, error.message)
        return msgspec.structs.replace(answer, headers={_CODE: error.code})
    return _say_failed(request, error)


def _say_failed(request: WireRequest, error: WireError) -> WireResponse:
    headers = {_CODE: error.code} if error.code else {}
    if not asks_for(request, "verbose"):
        return WireResponse(status=error.status, body=b"0", content_type=_TEXT, headers=headers)
    body = {"status": 0, "error": error.message, "code": error.code}
    return WireResponse(status=error.status, body=body, headers=headers)


def _is_todays_import(request: WireRequest) -> bool:
    """The import of today is JSON; libraries of their time send a form, and look at the answer as for `/track`."""
    if request.path != _IMPORT or request.method != "POST":
        return False
    try:
        return is_json(inflate(request.body))
    except WireError:
        return asks_for(request, "strict")


def _answer_import(request: WireRequest, told: Told, rejected: Sequence[Receipt]) -> WireResponse:
    taken = len(told.items) - len(rejected)
    if not rejected:
        return _describe_import(200, taken, None)
    failed = _describe_failed(told, rejected)
    status = 400 if asks_for(request, "strict") or not taken else 200
    error = "some data points in the request failed validation" if status == 400 else None
    return _describe_import(status, taken, error, failed)


def _describe_failed(told: Told, rejected: Sequence[Receipt]) -> list[dict[str, Any]]:
    return [
        {
            "index": receipt.index,
            "insert_id": _find_insert_id(told.raw[receipt.index]),
            "field": receipt.field or "",
            "message": receipt.message,
            "code": receipt.code,
        }
        for receipt in rejected
    ]


def _find_insert_id(item: Any) -> Any:
    properties = item.get("properties") if isinstance(item, dict) else None
    return properties.get("$insert_id") if isinstance(properties, dict) else None


def _describe_import(status: int, taken: int, error: str | None, failed: Sequence[dict[str, Any]] = ()) -> WireResponse:
    body: dict[str, Any] = {"code": status, "num_records_imported": taken, "status": _name_status(status)}
    if error is not None:
        body["error"] = error
    if failed:
        body["failed_records"] = failed
    return WireResponse(status=status, body=body)


def _name_status(status: int) -> str:
    return "OK" if status == 200 else HTTPStatus(status).phrase
