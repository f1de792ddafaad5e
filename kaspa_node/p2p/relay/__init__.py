"""Circuit relay v2: its messages, the relay with its books, and the ends of a circuit."""
