"""What is ours in the kernel, a room each."""
