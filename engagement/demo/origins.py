"""Under which addresses the demo's pages are reached, and the source that they report to."""

from urllib.parse import urlsplit

from django.conf import settings

from tracking.models import Source

SOURCE_NAME = "Demo shop"


def list_origins() -> list[str]:
    """Return the origins of this installation's own pages; `localhost` and `127.0.0.1` both work."""
    public = urlsplit(settings.PUBLIC_URL)
    local = [f"http://{host}:{settings.PORT}" for host in ("127.0.0.1", "localhost")]
    return list(dict.fromkeys([f"{public.scheme}://{public.netloc}", *local]))


def find_demo_source() -> Source | None:
    """Return the source of the demo's pages: as at the door, the one that allows their origin."""
    return Source.objects.filter(origins__origin__in=list_origins()).first()
