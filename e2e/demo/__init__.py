"""The narrated story of `make demo`: a cluster comes up, parts break, and the reader sees what the operator does.

The story is data (`story`) on top of a runner that awaits conditions of real objects; nothing waits for a fixed time.
"""
