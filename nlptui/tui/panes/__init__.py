"""The panes of the explorer, one a file: each takes plain values (attributes down) and posts messages
(up).
"""
