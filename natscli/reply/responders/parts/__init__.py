"""What responders are made of."""
