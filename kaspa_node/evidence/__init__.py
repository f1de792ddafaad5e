"""The judge: reads the evidence of one verify run, proves or refutes the path, and writes the reports.

It runs on the controller. Beside the standard library it needs `constants`, `milestones` and `reasons` only.
`sockets` stands alone, so that the module which collects evidence on a host can carry it there.
"""
