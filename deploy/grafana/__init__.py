"""Dashboards as code: `boards` says what they show, `grafana` says it in Grafana's words, `drawing` draws them."""
