def report(x): return None
