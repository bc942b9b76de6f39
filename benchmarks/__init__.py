"""What costs what: every figure beside the same work done bare, in the same run, on the same tables."""
