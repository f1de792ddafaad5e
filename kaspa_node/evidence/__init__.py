"""The judge: reads the evidence of one verify run, proves or refutes the path, and writes the reports.

It runs on the controller. It needs the standard library, `kaspa_node.constants` and `kaspa_node.milestones` only.
`sockets` stands alone, so that the module which collects evidence on a host can carry it there.
"""
