"""What PostHog's libraries ask to start: their configuration, and feature flags, of which there are none. Pure."""

from typing import Any

import msgspec

COMPRESSIONS = ["gzip", "gzip-js"]

_CONFIG: dict[str, Any] = {
    "supportedCompression": COMPRESSIONS,
    "hasFeatureFlags": False,
    "elementsChainAsString": True,
    "autocapture_opt_out": False,
    "autocaptureExceptions": False,
    "captureDeadClicks": False,
    "capturePerformance": False,
    "defaultIdentifiedOnly": True,
    "heatmaps": False,
    "sessionRecording": False,
    "surveys": False,
    "siteApps": [],
}
"""What posthog-js may do: report events, and nothing that would need a server of PostHog's."""

_FLAGS: dict[str, Any] = {
    "flags": {},
    "featureFlags": {},
    "featureFlagPayloads": {},
    "errorsWhileComputingFlags": False,
    "quotaLimited": [],
}


def describe_config(key: str) -> dict[str, Any]:
    """Return the configuration of a key."""
    return {"token": key} | _CONFIG


def write_config_script(key: str) -> bytes:
    """Return the same as the script that the library looks for first."""
    config = msgspec.json.encode({"config": describe_config(key), "siteApps": []}).decode()
    held = "window._POSTHOG_REMOTE_CONFIG"
    return f"({held}={held}||{{}})[{msgspec.json.encode(key).decode()}]={config};\n".encode()


def describe_flags() -> dict[str, Any]:
    """Return that there are no feature flags; older libraries expect the configuration beside them."""
    return _CONFIG | _FLAGS
