"""`/tracker.js`, the script for pages: served past sessions and log-ins, to pages of any site."""

import hashlib
from collections.abc import MutableMapping
from pathlib import Path

TRACKER_DIR = Path(__file__).resolve().parent.parent / "clients" / "js" / "dist"
_CACHE = "public, max-age=3600, stale-while-revalidate=86400"


def add_tracker_headers(headers: MutableMapping[str, str], path: str, url: str) -> None:
    """Let the script be kept for an hour and then asked for by its content, which is the same on every machine."""
    if Path(path).parent != TRACKER_DIR:
        return
    headers["Cache-Control"] = _CACHE
    headers["ETag"] = f'"{hashlib.sha256(Path(path).read_bytes()).hexdigest()[:32]}"'
    # A page that isolates itself (Cross-Origin-Embedder-Policy) loads only what says so.
    headers["Cross-Origin-Resource-Policy"] = "cross-origin"
