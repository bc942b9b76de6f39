"""The inbox: what the local mail server took. The admin's users read all, a visitor what was sent to them."""

from collections.abc import Callable
from uuid import UUID

from csp.decorators import csp
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from engagement.demo.mail_html import MAIL_POLICY, prepare_html
from engagement.demo.maildir import Mail, find_mail, list_mails
from engagement.demo.visitor import read_visitor

VIEWS = ("html", "text", "source")


@require_GET
@never_cache
def show_inbox(request: HttpRequest) -> HttpResponse:
    """Show the list alone."""
    return _render(request, "inbox/inbox.html", None)


@require_GET
@never_cache
def show_list(request: HttpRequest) -> HttpResponse:
    """Answer the page's script with the list as it is now."""
    return _render(request, "inbox/list.html", None)


@require_GET
@never_cache
def show_mail(request: HttpRequest, key: str) -> HttpResponse:
    """Show the list with a mail beside it."""
    return _render(request, "inbox/inbox.html", _find(request, key))


@require_GET
@never_cache
@csp(MAIL_POLICY)  # type: ignore[arg-type]
def show_html(request: HttpRequest, key: str) -> HttpResponse:
    """Show a mail's HTML as the frame holds it."""
    return HttpResponse(prepare_html(_find(request, key)))


@require_GET
@never_cache
def find_delivery(request: HttpRequest, delivery_id: UUID) -> HttpResponse:
    """Go to the mail of a delivery: its Message-ID begins with the delivery's id."""
    mine = _choose_mails(request)
    mails = list_mails(settings.INBOX_DIR, lambda mail: mine(mail) and _is_of(mail, delivery_id), limit=1)
    return redirect("inbox-mail", mails[0].key) if mails else redirect("inbox")


def _is_of(mail: Mail, delivery_id: UUID) -> bool:
    local = mail.message_id.strip("<>").partition("@")[0].lower()
    return delivery_id.hex in local.replace("-", "")


def _render(request: HttpRequest, template: str, mail: Mail | None) -> HttpResponse:
    view = request.GET.get("view", "")
    if mail is not None and (view not in VIEWS or (view == "html" and not mail.html)):
        view = "html" if mail.html else "text"
    context = {
        "mails": list_mails(settings.INBOX_DIR, _choose_mails(request)),
        "mail": mail,
        "selected": mail.key if mail is not None else request.GET.get("selected", ""),
        "view": view,
        "views": VIEWS,
        "reader": _name_reader(request),
    }
    return render(request, template, context, status=200 if context["reader"] else 403)


def _find(request: HttpRequest, key: str) -> Mail:
    mail = find_mail(settings.INBOX_DIR, _choose_mails(request), key)
    if mail is None:
        raise Http404("There is no such mail, or it is not yours.")
    return mail


def _choose_mails(request: HttpRequest) -> Callable[[Mail], bool]:
    """Return which mails whoever asks may read."""
    if _is_admin(request.user):
        return lambda mail: True
    address = read_visitor(request).address
    return lambda mail: address is not None and address in mail.recipients


def _name_reader(request: HttpRequest) -> str:
    """Return whose mails these are, in words; '' for somebody who may read none."""
    if _is_admin(request.user):
        return "everybody"
    return read_visitor(request).address or ""


def _is_admin(user: AbstractBaseUser | AnonymousUser) -> bool:
    return user.is_active and bool(getattr(user, "is_staff", False))
