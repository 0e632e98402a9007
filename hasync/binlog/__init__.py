"""The MySQL and MariaDB side: dump, events, row images, preflight."""
