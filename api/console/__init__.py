"""The console: pages for people, rendered by the server from the records."""
