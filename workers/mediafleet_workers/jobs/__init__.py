"""One job from claim to end: fetch the original, process it in the sandbox, store what came of it, commit."""
