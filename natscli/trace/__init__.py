"""Where a message goes (ADR-41): traced by the servers it passes, shown as a tree or JSON."""
