"""`manage.py write_api_docs`: write the pages that are made from the API's description."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from drf_spectacular.generators import SchemaGenerator

from engagement.api_docs.calls import list_calls
from engagement.api_docs.curl_page import write_curl_page
from engagement.api_docs.postman import write_collection


def write_pages() -> dict[str, str]:
    """Return each page's text by its path in the project."""
    calls = list(list_calls(SchemaGenerator().get_schema(public=True)))  # type: ignore[no-untyped-call]
    return {
        "docs/api.md": write_curl_page(calls),
        "docs/engagement.postman_collection.json": write_collection(calls),
    }


class Command(BaseCommand):
    """Write docs/api.md and the Postman collection."""

    help = "Write docs/api.md and docs/engagement.postman_collection.json from the API's description."

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the files."""
        for path, text in write_pages().items():
            (settings.BASE_DIR / path).write_text(text)
            self.stdout.write(path)
