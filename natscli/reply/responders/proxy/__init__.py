"""Requests that another service answers: passed on (`--upstream`), and asked of a second one too (`--candidate`)."""
