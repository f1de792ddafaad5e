"""Programs that the doctor sends to hosts as text: each stands alone, needs a bare Python 3, and changes nothing."""
