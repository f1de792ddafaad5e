"""The packets of one session, from every place that sees them."""
