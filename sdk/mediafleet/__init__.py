"""Client, command line and wire types of mediafleet."""
