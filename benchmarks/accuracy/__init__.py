"""What was shown of the progress of uploads, against what turned out to be true."""
