"""What a person who starts the platform reads."""

import time
from pathlib import Path

_started = time.monotonic()


def say(text: str) -> None:
    """Print a line of progress, with the seconds since the start."""
    print(f"  {time.monotonic() - _started:5.1f} s  {text}", flush=True)


def print_screen(url: str, state: Path) -> None:
    """Print the addresses, the password, a first curl and how to stop."""
    password = (state / "admin-password").read_text().strip()
    curl = state / "first-curl"
    lines = [
        "",
        f"  Ready after {time.monotonic() - _started:.0f} s.",
        "",
        f"  Demo shop   {url}/demo/      leave a cart here",
        f"  Inbox       {url}/inbox/     the mail arrives here",
        f"  Admin       {url}/admin/     user admin, password {password}",
        f"  API docs    {url}/api/docs/",
        "",
    ]
    if curl.exists():
        lines += ["  A first event:", "", f"  {curl.read_text().strip()}", ""]
    lines += [f"  Data and logs in {state}. Ctrl-C stops everything.", ""]
    print("\n".join(lines), flush=True)
