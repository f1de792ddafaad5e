"""The lab without root: relay, server and client as plain processes, with the same two NATs between them if the
machine allows user namespaces, otherwise on loopback.
"""
