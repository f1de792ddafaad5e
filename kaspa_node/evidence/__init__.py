"""The judge: reads the evidence of one verify run, proves or refutes the path, and writes the reports.

It runs on the controller. Beside the standard library it needs `constants`, `milestones` and `reasons` only.
`sockets` imports nothing of ours, so that it can be sent to a host with the module that collects evidence there.
"""
