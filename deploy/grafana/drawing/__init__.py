"""Draws the committed dashboards from a running Prometheus, where no Grafana can run: same queries, same layout."""
