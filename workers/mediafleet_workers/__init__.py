"""Workers of mediafleet: pipelines, sandboxed decoders and housekeeping."""
