"""Registry credentials: their forms, headers, credential helpers, and the sources a client looks them up in.

This wing knows ``config.json`` as data; running a helper is left to the transports.
"""
