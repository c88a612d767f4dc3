"""Where decoders run: a process of their own for every job, without network, credentials or other files.

worker --packets--> zygote --fork--> child --frames--> worker

The zygote is a small, single-threaded interpreter with the decoders loaded. It forks one child per job, which locks
itself in (`confinement`) and runs the job. The zygote ends children on command, reaps them and tells what they used;
it and they end when the worker does, however that happens.
"""
