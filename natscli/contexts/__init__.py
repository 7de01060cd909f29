"""Contexts: the file format, the store on disk, and the credential references.

Imports neither click nor nats-py.
"""
