"""The Helm chart, with real Helm and a stand-in for the Kubernetes API."""
