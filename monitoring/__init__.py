"""Grafana's dashboards, written in Python: panels of one kind look alike, and none lacks its unit or description."""
