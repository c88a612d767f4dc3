"""What mediafleet's gateway and workers share: rules, ports and their adapters."""
