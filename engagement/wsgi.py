"""The WSGI application."""

import os

from django.core.wsgi import get_wsgi_application

from engagement.lib.garbage import calm_collector

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "engagement.settings")

application = get_wsgi_application()
calm_collector()
