"""Secrets: masked in all output, asked for without echo."""
