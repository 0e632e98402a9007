"""What keeps strangers out and secrets in, on real servers."""
