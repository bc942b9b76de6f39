"""What is answered where there is nothing: the API's own form to a client, a page to a person."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.defaults import page_not_found

_OF_CLIENTS = ("/v1/", "/hooks/", "/track", "/api/")


def answer_not_found(request: HttpRequest, exception: Exception, **_: Any) -> HttpResponse:
    """Answer an address that does not exist."""
    if request.path.startswith(_OF_CLIENTS):
        body = {"code": "not_found", "field": None, "message": "There is nothing at this address."}
        return JsonResponse(body, status=404)
    return page_not_found(request, exception)
