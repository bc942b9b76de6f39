"""celery-beat's schedules: the built-in ones can be re-timed, never deleted."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django_celery_beat.admin import PeriodicTaskAdmin as BaseTaskAdmin
from django_celery_beat.admin import PeriodicTaskForm, TaskSelectWidget
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from engagement.health import load_liveness
from engagement.lib.pages import PageAdmin
from engagement.lib.say import say_moment, say_span
from engagement.schedules import SCHEDULES

BUILT_IN = frozenset(schedule.name for schedule in SCHEDULES)

for _model in (PeriodicTask, IntervalSchedule, CrontabSchedule, SolarSchedule, ClockedSchedule):
    admin.site.unregister(_model)


class TaskSelect(UnfoldAdminSelectWidget, TaskSelectWidget):  # type: ignore[misc]
    """The tasks that the workers know."""

    template_name = "unfold/widgets/select.html"


class TaskForm(PeriodicTaskForm):  # type: ignore[misc]
    """celery-beat's form in the admin's own looks."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = TaskSelect()


class TimingForm(forms.ModelForm):  # type: ignore[type-arg]
    """What may be changed of a built-in schedule: how often, and whether at all. Its task stays."""

    class Meta:
        model = PeriodicTask
        fields = ("interval", "enabled")

    def clean_interval(self) -> IntervalSchedule:
        """Without a timing it would never start."""
        interval: IntervalSchedule | None = self.cleaned_data["interval"]
        if interval is None:
            raise forms.ValidationError("Choose how often it starts.")
        return interval


@admin.register(PeriodicTask)
class ScheduleAdmin(BaseTaskAdmin, PageAdmin):  # type: ignore[misc]
    """What beat starts, and how often."""

    form = TaskForm
    list_display = ("name", "says", "every", "enabled", "last_done")
    list_filter = ()
    search_fields = ()
    date_hierarchy = None
    change_form_template = None
    actions = None
    built_in_fields = ("name", "description", "interval", "enabled", "last_done")

    @admin.display(description="what it does")
    def says(self, task: PeriodicTask) -> str:
        """Return the description."""
        return str(task.description)

    @admin.display(description="how often", ordering="interval")
    def every(self, task: PeriodicTask) -> str:
        """Return the timing in words."""
        if task.interval is None:
            return str(task.schedule)
        return f"every {say_span(task.interval.schedule.run_every)}".replace("every 1 ", "every ")

    @admin.display(description="last done")
    def last_done(self, task: PeriodicTask) -> str:
        """Return when it last succeeded: beat writes down its starts only now and then."""
        pulse = next((pulse for pulse in load_liveness() if pulse.name == task.name), None)
        return say_moment(pulse.last_ran_at if pulse is not None else task.last_run_at)

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Offer of a built-in schedule only what may be changed."""
        if _is_built_in(obj):
            return ((None, {"fields": self.built_in_fields}),)
        return super().get_fieldsets(request, obj)

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any) -> Any:
        """Return the short form for a built-in schedule."""
        if _is_built_in(obj):
            kwargs["form"] = TimingForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """A built-in schedule keeps its name and its task."""
        if _is_built_in(obj):
            return ("name", "description", "last_done")
        return super().get_readonly_fields(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Without a built-in schedule the platform stands still."""
        return not _is_built_in(obj) and bool(super().has_delete_permission(request, obj))


class TimingAdmin(PageAdmin):
    """A timing; one that a schedule uses stays, since its schedules would go with it."""

    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Only what no schedule uses can go."""
        in_use = obj is not None and _find_users(obj).exists()
        return not in_use and bool(super().has_delete_permission(request, obj))


for _model in (IntervalSchedule, CrontabSchedule, SolarSchedule, ClockedSchedule):
    admin.site.register(_model, TimingAdmin)


def _is_built_in(task: Model | None) -> bool:
    return isinstance(task, PeriodicTask) and task.name in BUILT_IN


def _find_users(timing: Model) -> QuerySet[Any]:
    rows: QuerySet[Any] = timing.periodictask_set.all()  # type: ignore[attr-defined]
    return rows
