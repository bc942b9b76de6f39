"""On a person's page: erase them, after a look at what will go, or take away all that is held."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from engagement.lib.postgres import open_connection
from tracking.erasure.ask import ask_erasure
from tracking.erasure.periods import load_spans
from tracking.models import Profile
from tracking.profiles import load_person
from triggers.erase.preview import count_held
from triggers.export import export_person
from triggers.models import Destination

_TIMEOUT_MS = 20_000
MAY_ERASE = "tracking.erase_person"
MAY_EXPORT = "tracking.export_person"


def find_erased(profile: Profile) -> str:
    """Return what somebody has to type: the id that the person goes by."""
    return profile.user_id or profile.anonymous_id or str(profile.pk)


def erase_person(request: HttpRequest, profile: Profile, page: dict[str, Any]) -> HttpResponseBase:
    """Show what would go; with the person's id typed, have it go."""
    if not request.user.has_perm(MAY_ERASE):
        raise PermissionDenied
    typed = request.POST.get("typed", "").strip()
    if request.method == "POST" and typed == find_erased(profile):
        return _ask(request, profile)
    with open_connection("engagement-admin", timeout_ms=_TIMEOUT_MS) as connection:
        person = load_person(connection, profile.pk)
        held = count_held(connection, load_spans(connection, person)) if person is not None else None
    context = {
        **page,
        "title": f"Erase {profile}?",
        "profile": profile,
        "asked_for": find_erased(profile),
        "held": held,
        "others": len(person.spans) - 1 if person is not None else 0,
        "is_wrong": request.method == "POST",
        "told": list(Destination.objects.filter(progress__sent_at__isnull=False).values_list("name", flat=True)),
    }
    return TemplateResponse(request, "admin/triggers/erase_person.html", context)


def export_as_file(request: HttpRequest, profile: Profile) -> HttpResponseBase:
    """Answer with all that is held, as a file to keep."""
    if not request.user.has_perm(MAY_EXPORT):
        raise PermissionDenied
    pieces = export_person(profile.pk)
    if pieces is None:
        raise Http404("Nothing is held of this person.")
    name = f"person-{datetime.now(UTC):%Y-%m-%d}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(pieces, content_type="application/json", headers=headers)


def _ask(request: HttpRequest, profile: Profile) -> HttpResponseRedirect:
    with open_connection("engagement-admin", timeout_ms=_TIMEOUT_MS) as connection:
        receipt = ask_erasure(connection, profile.pk, f"admin, user {request.user.get_username()}")
    if receipt is None:
        messages.warning(request, "Nothing is held of this person any more.")
        return HttpResponseRedirect(reverse("admin:tracking_profile_changelist"))
    messages.success(request, "On its way. This receipt says when it is done; it names nobody.")
    return HttpResponseRedirect(reverse("admin:tracking_erasure_change", args=[receipt]))
