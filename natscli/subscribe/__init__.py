"""Receiving messages: the loop that takes them, and what becomes of them: shown, translated, saved or counted."""
