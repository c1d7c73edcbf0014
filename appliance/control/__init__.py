"""What the processes of the box say to each other over a Unix socket: wire types and the client (server: calls)."""
