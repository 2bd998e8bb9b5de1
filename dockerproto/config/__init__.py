"""The Docker CLI's configuration file as data: Go's JSON rules, one `ConfigFile`, its headers and proxies.

This wing parses what it is given; it knows no client and reads no file.
"""
