"""What a request passes between the socket and the application: an ASGI middleware a file."""
