"""Operations as data: a request, the response it expects, and the projection into client methods.

This wing knows the client that an operation runs on; it knows no particular image operation.
"""
