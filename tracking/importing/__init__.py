"""Loading history: from a file's rows to events that fire no rule."""
