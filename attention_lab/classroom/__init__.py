"""What an instructor's machine does with submissions that nobody has read.

A submission's code runs in a process of its own, the observer (`observer.py`), that holds no right answer. The grader's
process asks it (`remote.py`, in messages of plain data: `wire.py`), judges, and writes verdict and score (`autograde.py`).
"""
