"""A small protobuf codec: messages as structs whose annotations number their fields.

This wing knows the wire format only; it knows no message of any service.
"""
