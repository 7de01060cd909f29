"""Programs of other people: their command lines, run to the end or kept running, and what they make of a payload."""
