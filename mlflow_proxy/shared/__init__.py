"""What two of our processes must agree on. Standard library only: every layer imports it."""
