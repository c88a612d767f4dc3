"""A fleet under load as Prometheus sees it: every question of the boards and alerts asked, every board drawn."""
