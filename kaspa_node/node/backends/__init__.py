"""What speaks Kaspa for a peer: the embedded Kaspa peer, or other programs of this machine."""
