"""Hosts, NATs and delays on one machine: three booted hosts behind two NAT routers, or plain processes behind the same.

Standard library only, because the lab runs before there is a virtual environment.
"""
