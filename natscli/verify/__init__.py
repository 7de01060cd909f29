"""Sends recorded requests again and compares what comes with what came."""
