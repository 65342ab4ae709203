"""Which back end a setting means, and what a process is made of."""
