"""Exchanges of others and services: what is seen without taking part."""
