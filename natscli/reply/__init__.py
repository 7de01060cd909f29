"""Responders, and the loop that serves them."""
