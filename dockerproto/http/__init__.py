"""HTTP/1.1 on byte streams: framing, connections, the pool of idle ones, and uploads.

This wing knows bytes, deadlines and the transport's interfaces; it knows no operation and no engine.
"""
