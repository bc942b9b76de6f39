"""Errors that a view raises (REST_FRAMEWORK names this), in the same form as the door's: code, field, message."""

from typing import Any

import psycopg
import structlog
from django.db import InterfaceError, OperationalError
from rest_framework.exceptions import APIException, ErrorDetail, NotFound, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler

log = structlog.get_logger()

_AWAY = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
_LATER_SECONDS = "5"


def answer_error(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return `{"code", "field", "message"}`; None leaves a surprise to Django.

    While the database is away, or takes too long, that is a 503: asking again is the thing to do.
    """
    if isinstance(error, _AWAY):
        log.error("api_unavailable", problem=str(error))
        data = {"code": "unavailable", "field": None, "message": "It cannot be answered just now. Ask again."}
        return Response(data, status=503, headers={"Retry-After": _LATER_SECONDS})
    response = exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, ValidationError) and isinstance(error.detail, dict):
        field, details = next(iter(error.detail.items()))
        detail = details[0] if isinstance(details, list) else details
        response.data = {"code": getattr(detail, "code", "invalid"), "field": field, "message": str(detail)}
        return response
    detail = error.detail if isinstance(error, APIException) else ErrorDetail("Not found.", "not_found")
    code = getattr(detail, "code", "not_found" if isinstance(error, NotFound) else "error")
    response.data = {"code": code, "field": None, "message": str(detail)}
    return response
