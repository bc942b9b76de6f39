"""The landing page and the shop: pages and the few answers that their scripts ask for."""

import msgspec
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST

from engagement.demo.products import PRODUCTS
from engagement.demo.timeline import load_timeline
from engagement.demo.visitor import forget_visitor, parse_address, read_visitor, remember_address


@require_GET
def show_landing(request: HttpRequest) -> HttpResponse:
    """Show where everything is."""
    return render(request, "demo/landing.html")


@require_GET
@never_cache
@ensure_csrf_cookie
def show_shop(request: HttpRequest) -> HttpResponse:
    """Show the shop."""
    return render(request, "demo/shop.html", {"products": PRODUCTS, "visitor": read_visitor(request)})


@require_POST
def sign_in(request: HttpRequest) -> HttpResponse:
    """Take the visitor's word for an address: nothing but the local inbox hangs on it."""
    address = parse_address(request.POST.get("email", ""))
    if address is None:
        message = "This does not look like a mail address, such as ada@example.com."
        return JsonResponse({"code": "invalid_address", "field": "email", "message": message}, status=400)
    response = JsonResponse({"user_id": address, "email": address})
    remember_address(response, address)
    return response


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Forget who it was."""
    response = HttpResponse(status=204)
    forget_visitor(response)
    return response


@require_GET
@never_cache
def show_timeline(request: HttpRequest) -> HttpResponse:
    """Answer the panel: this visitor's timeline and what comes next."""
    timeline = load_timeline(read_visitor(request))
    return HttpResponse(msgspec.json.encode(timeline), content_type="application/json")
