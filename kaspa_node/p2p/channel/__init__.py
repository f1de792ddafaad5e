"""A secure connection with many streams, over any pipe of bytes: Noise, yamux, negotiation, and the trio shell."""
