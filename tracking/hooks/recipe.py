"""How to send a hook its first payload from a terminal: a curl line that signs as the sender does."""

import shlex
from datetime import datetime
from typing import Any

import msgspec

from tracking.wire.hooks.places import parse_path, walk
from tracking.wire.hooks.presets import PRESETS, Preset
from tracking.wire.hooks.signatures import Style

PLACEHOLDER = "your secret"


def find_preset(style: str) -> Preset:
    """Return the sender that is most likely meant by a style."""
    fitting = [preset for preset in PRESETS.values() if preset.style == style]
    return fitting[0] if fitting else PRESETS["secret"]


def write_curl(style: Style, header: str, address: str, secret: str, preset: Preset, now: datetime) -> str:
    """Return shell lines that send the preset's example as of now, signed. `header` may be "" for the style's own."""
    body = msgspec.json.encode(make_example(preset, now)).decode()
    given = {name: value for name, value in preset.headers.items() if not _is_signed_with(style, name)}
    options = [
        "-H 'Content-Type: application/json'",
        *(f"-H {shlex.quote(f'{name}: {value}')}" for name, value in given.items()),
        *(option.replace("{header}", header or style.header) for option in style.curl),
        '--data-binary "$BODY"',
    ]
    lines = [f"SECRET={shlex.quote(secret)}", f"BODY={shlex.quote(body)}", *style.setup]
    return "\n".join([*lines, f'curl -X POST "{address}{style.query}" \\', " \\\n".join(f"  {one}" for one in options)])


def make_example(preset: Preset, now: datetime) -> Any:
    """Return the preset's example with the present time in it: an old one may lie further back than events are kept."""
    example = msgspec.json.decode(msgspec.json.encode(preset.example))
    steps = parse_path(preset.mapping.time).steps if preset.mapping.time else None
    if steps:
        holder = walk(example, steps[:-1])
        is_text = isinstance(holder[steps[-1]], str)
        holder[steps[-1]] = now.isoformat(timespec="seconds") if is_text else int(now.timestamp())
    return example


def _is_signed_with(style: Style, name: str) -> bool:
    """Whether the signing options give this header already."""
    return any(f'"{name}:' in option for option in style.curl)
