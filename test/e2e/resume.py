"""Interrupts a training run after a few steps, and resumes it."""
import os
import signal
import subprocess
import sys
import time

folder = sys.argv[1]
model = os.path.join(os.path.dirname(__file__), "../../examples/mixture-of-mamba.mom")
command = ["momc", "train", model, "--set", "D=32", "--set", "depth=2", "--data", folder + "/corpus", "--steps",
           "12", "--seed", "3", "--out", folder + "/c", "--eval-every", "6"]
run = subprocess.Popen(command)
log = folder + "/c/log.jsonl"
while run.poll() is None and not (os.path.exists(log) and '"step":3' in open(log).read()):
    time.sleep(0.005)
run.send_signal(signal.SIGINT)
if run.wait() != 128 + signal.SIGINT:
    sys.exit(f"expected status {128 + signal.SIGINT} of the interrupted run, but got {run.returncode}")
subprocess.run(command + ["--resume"], check=True)
