"""The wire schema: *.proto by hand, *_pb2.py and *_pb2.pyi made from them by scripts/generate_protowire.py."""
