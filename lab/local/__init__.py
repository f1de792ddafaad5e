"""The lab without root: relay, server and client as plain processes, with the same two NATs between them where the
machine allows user namespaces, else on loopback.
"""
