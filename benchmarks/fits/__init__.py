"""What solvers.py runs: data, contenders, a process for each, the objectives they are judged by, scenes, targets and tables."""
