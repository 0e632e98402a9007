"""Dashboards as code, the alerts as data, and a run of both against a real cluster and a real Prometheus."""
