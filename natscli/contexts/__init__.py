"""Contexts: the file format, the store on disk, and the credential references.

Knows neither click nor nats-py.
"""
