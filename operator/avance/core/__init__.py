"""The rules of avance as pure functions.

Everything here decides on frozen views with time as an input and returns data: no I/O, no clock, no Kubernetes. The
same code serves the operator, the simulator and what-if questions. Only the standard library may be imported.
"""
