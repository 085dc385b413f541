#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The command line of expression_report, which report.sh runs: FILE.ndjson [VIDEO] [OUT.html]"""

import sys

from expression_report import BadInput, write_report


def main():
    records, *rest = sys.argv[1:]
    # VIDEO may be left out, because OUT is known by its suffix.
    has_page = rest and rest[-1].lower().endswith((".html", ".htm"))
    page = rest.pop() if has_page else None
    try:
        print(f"wrote {write_report(records, page, *rest[:1])}")
    except BadInput as error:
        sys.exit(f"report: {error}")


if __name__ == "__main__":
    main()
