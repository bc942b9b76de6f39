"""The WSGI application."""

import os

from django.core.wsgi import get_wsgi_application

from engagement.chunked import read_chunked
from engagement.lib.interpreter import tune_interpreter

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "engagement.settings")

application = read_chunked(get_wsgi_application())
tune_interpreter()
