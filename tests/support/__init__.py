"""Shared by the tests: real servers, and waiting for events with a deadline."""
