"""The gRPC gateway: bytes and requests in, events out."""
