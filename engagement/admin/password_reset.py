"""A forgotten password: a link by mail to who has an account, in the looks of the login page."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import views
from django.contrib.auth.forms import PasswordResetForm, SetPasswordForm
from django.core.cache import cache
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse_lazy
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminPasswordWidget

_PAUSE_SECONDS = 120


class ResetForm(PasswordResetForm):
    """Asks for an address. Who has an account there gets a link, one at a time; the answer is the same for all."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].widget = UnfoldAdminEmailInputWidget(attrs={"autocomplete": "email", "autofocus": True})

    def get_users(self, email: str) -> Iterable[Any]:
        """Leave out who may not sign in here, and who was sent a link just now: nobody fills a letter box by this."""
        return [user for user in super().get_users(email) if user.is_staff and _may_send(user.pk)]


class NewPasswordForm(SetPasswordForm):  # type: ignore[type-arg]
    """Asks for the new password twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("new_password1", "new_password2"):
            self.fields[name].widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})


def make_urls() -> list[URLPattern]:
    """Return the addresses: the login page links to the first one by its name."""
    return [
        path("admin/password-reset/", _ask, name="admin_password_reset"),
        path("admin/password-reset/sent/", _tell_sent, name="password_reset_done"),
        path("admin/password-reset/<uidb64>/<token>/", _choose, name="password_reset_confirm"),
    ]


def _ask(request: HttpRequest) -> Any:
    return views.PasswordResetView.as_view(
        form_class=ResetForm,
        template_name="admin/password_reset.html",
        email_template_name="admin/password_reset_mail.txt",
        subject_template_name="admin/password_reset_subject.txt",
        # Not the Host header: whoever asks could write their own there.
        extra_email_context={"public_url": settings.PUBLIC_URL},
        extra_context=_describe(request, "Forgotten password"),
        success_url=reverse_lazy("password_reset_done"),
    )(request)


def _tell_sent(request: HttpRequest) -> Any:
    context = _describe(request, "Look at your mail")
    return views.PasswordResetDoneView.as_view(template_name="admin/password_reset.html", extra_context=context)(
        request
    )


def _choose(request: HttpRequest, uidb64: str, token: str) -> Any:
    context = _describe(request, "Choose a new password")
    view = views.PasswordResetConfirmView.as_view(
        form_class=NewPasswordForm,
        template_name="admin/password_reset.html",
        extra_context=context,
        success_url=reverse_lazy("admin:login"),
    )
    return view(request, uidb64=uidb64, token=token)


def _describe(request: HttpRequest, title: str) -> dict[str, Any]:
    # Django's views name their own title, which would win.
    return admin.site.each_context(request) | {"heading": title}


def _may_send(user_id: int) -> bool:
    try:
        return bool(cache.add(f"password-reset:{user_id}", 1, _PAUSE_SECONDS))
    except Exception:
        # Without the cache a forgotten password can still be replaced.
        return True
