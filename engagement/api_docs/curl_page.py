"""The page of curl lines. Pure."""

import json
import shlex
from collections.abc import Iterable

from engagement.api_docs.calls import SECRET_KEY, Call, group_by_tag

_HEAD = """# The API by curl

Made from the API's description by `manage.py write_api_docs`; the tests run each line. The description itself is at
`/api/docs/` of a running platform, and its calls are [a Postman collection](engagement.postman_collection.json) too.

Say once where the platform is and which keys your source has. `manage.py source add NAME` prints them; calls that
export or erase people need a secret key that may (`--scope ingest --scope read --scope privacy`):

```sh
export ENGAGEMENT_URL=http://127.0.0.1:8000
export WRITE_KEY=wk_…
export SECRET_KEY=sk_…
```
"""


def write_curl_page(calls: Iterable[Call]) -> str:
    """Return the page as Markdown: a heading for each tag, a line for each call."""
    parts = [_HEAD]
    for tag, group in group_by_tag(calls).items():
        parts.append(f"\n## {tag}\n")
        parts += [f"\n{call.summary}:\n\n```sh\n{write_line(call)}\n```\n" for call in group]
    return "".join(parts)


def write_line(call: Call) -> str:
    """Return a call as a line for a shell in which the three names above are set."""
    key = "SECRET_KEY" if call.key == SECRET_KEY else "WRITE_KEY"
    line = f'curl -X {call.method} "$ENGAGEMENT_URL{call.path}" -H "Authorization: Bearer ${key}"'
    if call.body is None:
        return line
    body = shlex.quote(json.dumps(call.body, ensure_ascii=False))
    return f"{line} \\\n  -H 'Content-Type: application/json' -d {body}"
