"""All that the supervisor says on the socket: requests in, pages, 503s and static files out."""
