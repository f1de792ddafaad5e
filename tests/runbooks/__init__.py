"""The runbooks of docs/runbooks, followed line by line in the lab: what a command prints is what the page shows."""
