"""Programs that the doctor sends to hosts as text: each is complete, needs only Python 3, and changes nothing."""
