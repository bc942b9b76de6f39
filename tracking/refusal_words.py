"""What the codes of refusals mean, in words that complete "it …", for lists and notices."""

WORDS = {
    "body_too_large": "is too large",
    "event_too_large": "is too large",
    "identity_required": "does not say who did it",
    "invalid_field": "has a part of the wrong kind",
    "invalid_id": "has an id that is empty or too long",
    "invalid_json": "is no JSON",
    "invalid_name": "has a name that is empty or too long",
    "invalid_timestamp": "has a time that cannot be read",
    "misfit": "does not fit its schema, and was taken nonetheless",
    "nul_character": "holds a character that cannot be stored",
    "placeholder_id": "names nobody: its id is a placeholder such as “undefined”",
    "quarantine_full": "found the quarantine full",
    "rate_limited": "was more than the source takes",
    "reserved_event": "says what only the platform may say",
    "schema_mismatch": "does not fit its schema",
    "server_only": "may come from servers only",
    "timestamp_out_of_range": "has a time that is too long ago, or ahead",
    "too_deep": "is nested too deep",
    "too_many_properties": "has too many properties",
    "unstorable": "could not be stored",
    "user_hash_required": "speaks for a user without the user’s hash",
    "user_hash_wrong": "speaks for a user with a wrong hash",
}


def say_code(code: str) -> str:
    """Return what a code means; of one that has no words here, its own."""
    return WORDS.get(code) or f"was refused: {code.replace('_', ' ')}"
