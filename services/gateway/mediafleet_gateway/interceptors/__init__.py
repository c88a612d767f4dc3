"""What happens around every call, one behaviour a file; the outermost first: metrics, errors, auth, draining."""
