"""How much may come in: token buckets per source, per address and per person, shared by all processes."""
