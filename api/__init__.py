"""Every front door: REST, console pages, command line, Python client."""
