"""Model calls through the gateway, never paid twice."""
