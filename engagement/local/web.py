"""The WSGI application of a web process that must not outlive granian, its parent."""

from engagement.local.children import die_with_parent
from engagement.wsgi import application

die_with_parent()

__all__ = ["application"]
