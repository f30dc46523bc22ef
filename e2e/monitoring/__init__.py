"""A real Prometheus beside the lab."""
