"""Many runs as a page of this machine: seen by nobody else, asking nobody else."""
