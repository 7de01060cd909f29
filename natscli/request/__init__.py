"""Sending requests, gathering replies, and the statistics of their timings."""
