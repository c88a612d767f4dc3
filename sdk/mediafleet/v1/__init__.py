"""The contract `mediafleet.v1` as Python modules, generated from `protos/`.

Only this file is written by hand; `make protos` renews the others.
"""
