"""Secret keys where they must not stand. Pure."""

from tracking.wire.request import WireError

SECRET = "sk_"
"""How a secret key of the platform begins."""


def check_address(key: str | None, field: str) -> str | None:
    """Return a key that stood in an address. Raises WireError (401) for a secret one, be it known or not.

    It stands in the access logs of every machine on the way.
    """
    if key is not None and key.startswith(SECRET):
        message = "A secret key in an address ends up in logs: send it in a header, and replace this one."
        raise WireError(401, "secret_key_in_url", message, field)
    return key
