"""All of mediafleet in one command, on embedded parts."""
