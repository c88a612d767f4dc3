# Sourced: what tools for Node share, tools/package-lock.json in tools/node_modules.
modules=tools/node_modules

node_is_here() {
    command -v npm >/dev/null 2>&1 && command -v node >/dev/null 2>&1
}

install_modules() { # once for each lock, and by one at a time: npm removes what another has just installed
    (
        ! command -v flock >/dev/null 2>&1 || flock 9
        cmp -s tools/package-lock.json "$modules/.package-lock.installed" && exit
        # Within tools/: --prefix would look for npm's global settings there, a mirror or an authority of one's own.
        (cd tools && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
        cp tools/package-lock.json "$modules/.package-lock.installed"
    ) 9<tools/package-lock.json
}
