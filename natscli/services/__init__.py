"""Services (ADR-32): who is there, asked and gathered, shown as tables or JSON."""
