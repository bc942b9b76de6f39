"""Users and groups, in the admin's own looks."""

from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin as BaseGroupAdmin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from engagement.lib.pages import PageAdmin
from engagement.lib.say import moment_column

for _model in (User, Group, AccessAttempt, AccessFailureLog, AccessLog, TOTPDevice, StaticDevice):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


@admin.register(User)
class UserAdmin(BaseUserAdmin, PageAdmin):  # type: ignore[type-arg]
    """Who may sign in, and what they may do: give each one or more of the groups."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "is_active", "is_superuser", moment_column("last_login", "last login"))
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("May", {"fields": ("is_active", "is_staff", "groups", "is_superuser")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "email", "is_staff", "groups", "password1", "password2")}),)
    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who has changed something stays in the history: they are made inactive."""
        is_named = obj is not None and LogEntry.objects.filter(user=obj).exists()
        return not is_named and bool(super().has_delete_permission(request, obj))


@admin.register(Group)
class GroupAdmin(BaseGroupAdmin, PageAdmin):
    """Who may do what. Marketer, Developer and Operator come with the product."""


@admin.register(AccessAttempt)
class AccessAttemptAdmin(PageAdmin):
    """Failed logins; deleting a row opens the door again at once."""

    list_display = (moment_column("attempt_time", "last try"), "username", "ip_address", "failures_since_start")
    fields = readonly_fields = (
        moment_column("attempt_time", "last try"),
        "username",
        "ip_address",
        "user_agent",
        "failures_since_start",
    )
    empty_title = "Nobody has been refused"
    empty_hint = "Ten wrong passwords lock a name at an address for a quarter of an hour."

    def has_add_permission(self, request: object) -> bool:
        """Only a login adds them."""
        return False
