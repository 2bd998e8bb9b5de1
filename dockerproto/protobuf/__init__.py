"""A small protobuf codec: messages are structs whose annotations give the field numbers.

This wing knows the wire format; it knows no message of any service.
"""
