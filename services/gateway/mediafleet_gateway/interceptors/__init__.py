"""What happens around every call, one behaviour a file.

The outermost first: metrics, errors, auth, admitting, draining.
"""
