"""Calls that can be pasted into a terminal against a running dev server."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from mediafleet_devserver.data_dir import DataDir

ROOT = Path(__file__).parents[3]
"""The checkout, where the contract lies beside the distributions."""


def ready_to_paste(data: DataDir, gateway: str) -> str:
    """The same for the command line, Python, and any gRPC client; the token is read from endpoints.json."""
    file = shlex.quote(_short(data.endpoints))
    python = shlex.quote(_short(Path(sys.executable)))
    command = shlex.quote(_short(Path(sys.executable).with_name("mediafleet")))
    found_by_itself = data.endpoints == Path.cwd() / ".mediafleet" / "endpoints.json"
    option = "" if found_by_itself else f" --endpoints-file {file}"
    protos = shlex.quote(_short(ROOT / "protos"))
    return f"""\
# Command line
{command} upload --watch{option} YOUR_FILE
{command} list{option}

# Python
{python} - {file} <<'END'
import json, sys
from mediafleet import Client
dev = json.load(open(sys.argv[1]))
with Client(dev["gateways"][0], token=dev["token"]) as client:
    for upload in client.list():
        print(upload.upload_id, upload.display_name, upload.progress.percent)
END

# Any gRPC client, here buf (npm); instead of the schema it can ask the server (reflection)
TOKEN=$({python} -c 'import json, sys; print(json.load(open(sys.argv[1]))["token"])' {file})
npx -y @bufbuild/buf curl --schema {protos} --protocol grpc --http2-prior-knowledge \\
  --header "authorization: Bearer $TOKEN" --data '{{"page_size": 5}}' \\
  http://{gateway}/mediafleet.v1.UploadService/ListUploads
"""


def _short(path: Path) -> str:
    """As one would type it here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
