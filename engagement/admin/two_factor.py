"""The second factor: codes of an app (TOTP), and codes to keep for when the phone is lost.

Who has it is asked for a code after the password. With REQUIRE_TWO_FACTOR everybody sets it up before anything else.
"""

import base64
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import qrcode
import qrcode.image.svg
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django_otp import login, user_has_device, verify_token
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.widgets import UnfoldAdminTextInputWidget

_KEY = "two_factor_key"
_BACKUP_CODES = 10
_WRONG = "This code is not right, or was used already. Take the newest one; after several wrong ones wait a little."


class CodeForm(forms.Form):
    """A code of the app, or one that was kept."""

    code = forms.CharField(
        label="Code",
        max_length=20,
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}
        ),
    )

    def clean_code(self) -> str:
        """Apps show it in two groups."""
        return "".join(str(self.cleaned_data["code"]).split()).lower()


class TwoFactorMiddleware:
    """Lets nobody into the admin whose second factor is still to be asked for, or, where it is demanded, to be made."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Go on, or lead to the page that is needed first."""
        page = _find_page(request) if request.path.startswith("/admin/") else None
        if page is None:
            return self.get_response(request)
        return HttpResponseRedirect(f"{page}?{urlencode({'next': request.get_full_path()})}")


def make_urls() -> list[URLPattern]:
    """Return the addresses of these pages."""
    view = admin.site.admin_view
    return [
        path("two-factor/", view(ask_for_code), name="two_factor"),
        path("two-factor/set-up/", view(set_up), name="two_factor_set_up"),
        path("two-factor/off/", view(switch_off), name="two_factor_off"),
    ]


def ask_for_code(request: HttpRequest) -> HttpResponse:
    """After the password: ask for a code, and go on to where somebody wanted to go."""
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        device = _find_match(request.user, form.cleaned_data["code"])
        if device is not None:
            _let_in(request, device)
            return HttpResponseRedirect(_find_next(request))
        form.add_error("code", _WRONG)
    return _show(request, "two_factor.html", {"title": "Two-factor login", "form": form, "next": _find_next(request)})


def set_up(request: HttpRequest) -> HttpResponse:
    """Show a key for an app; with a code that shows that the app has it, make it the second factor."""
    key = request.session.setdefault(_KEY, secrets.token_hex(20))
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        totp = TOTP(bytes.fromhex(key))
        code = form.cleaned_data["code"]
        if code.isdecimal() and totp.verify(int(code), tolerance=1):
            codes = _add_devices(request, key, totp.t())
            kept = {"title": "Keep these codes", "codes": codes, "next": _find_next(request)}
            return _show(request, "two_factor_codes.html", kept)
        form.add_error("code", _WRONG)
    context: dict[str, Any] = {
        "title": "Two-factor login",
        "form": form,
        "key": base64.b32encode(bytes.fromhex(key)).decode(),
        "picture": _draw(_write_address(request.user, key)),
        "has_device": user_has_device(request.user),
        "is_demanded": settings.REQUIRE_TWO_FACTOR,
        "next": _find_next(request),
    }
    return _show(request, "two_factor_set_up.html", context)


def switch_off(request: HttpRequest) -> HttpResponse:
    """With POST, ask for no code any more; not where everybody needs one."""
    if request.method == "POST" and not settings.REQUIRE_TWO_FACTOR:
        forget_devices(request.user)
        messages.success(request, "Two-factor login is off: your password alone signs you in.")
        return HttpResponseRedirect(reverse("admin:index"))
    return HttpResponseRedirect(reverse("admin:two_factor_set_up"))


def forget_devices(user: Any) -> int:
    """Forget somebody's app and codes; return how many devices there were."""
    number = 0
    for model in (TOTPDevice, StaticDevice):
        number += model.objects.filter(user=user).count()
        model.objects.filter(user=user).delete()
    return number


def _find_page(request: HttpRequest) -> str | None:
    """Return the page that somebody has to pass first, None where they may go on."""
    user: Any = request.user
    asking, setting_up = reverse("admin:two_factor"), reverse("admin:two_factor_set_up")
    if not user.is_authenticated or not user.is_staff or user.is_verified():
        return None
    if request.path in (reverse("admin:login"), reverse("admin:logout"), reverse("admin:jsi18n")):
        return None
    if user_has_device(user):
        return asking if request.path != asking else None
    return setting_up if settings.REQUIRE_TWO_FACTOR and request.path != setting_up else None


def _find_match(user: Any, code: str) -> Any:
    models = (TOTPDevice,) if code.isdecimal() and len(code) == 6 else (StaticDevice,)
    for model in models:
        for device in model.objects.devices_for_user(user, confirmed=True):
            if verify_token(user, device.persistent_id, code) is not None:
                return device
    return None


@transaction.atomic
def _add_devices(request: HttpRequest, key: str, used: int) -> list[str]:
    """Make the key the only one, with new codes to keep; the code that was shown is not good a second time."""
    user: Any = request.user
    forget_devices(user)
    device = TOTPDevice.objects.create(user=user, name="app", key=key, last_t=used, confirmed=True)
    kept = StaticDevice.objects.create(user=user, name="kept codes", confirmed=True)
    codes = [StaticToken.random_token() for _ in range(_BACKUP_CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=kept, token=code) for code in codes)
    request.session.pop(_KEY)
    _let_in(request, device)
    return codes


def _let_in(request: HttpRequest, device: Any) -> None:
    request.session.cycle_key()
    login(request, device)


def _find_next(request: HttpRequest) -> str:
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours else reverse("admin:index")


def _write_address(user: Any, key: str) -> str:
    issuer = settings.PUBLIC_URL.partition("://")[2].partition("/")[0]
    secret = base64.b32encode(bytes.fromhex(key)).decode()
    label = quote(f"{issuer}:{user.get_username()}")
    return f"otpauth://totp/{label}?{urlencode({'secret': secret, 'issuer': issuer})}"


def _draw(text: str) -> str:
    """Return a QR code as the address of a picture."""
    drawn = qrcode.make(text, image_factory=qrcode.image.svg.SvgPathFillImage, border=2)
    return f"data:image/svg+xml;base64,{base64.b64encode(drawn.to_string()).decode()}"


def _show(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    response = TemplateResponse(request, f"admin/{template}", admin.site.each_context(request) | context)
    response["Cache-Control"] = "no-store"
    return response
