"""Faults made on purpose before a real Prometheus: exactly the right alerts fire, and their runbooks' commands run."""
