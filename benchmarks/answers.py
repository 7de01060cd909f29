"""What the cases with `--pipe` run: a line of JSON for each line of JSON."""

import json
import sys

for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps({"id": request["id"], "data": request["data"]}), flush=True)
