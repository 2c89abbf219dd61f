"""`colorize verify`: is everything that was finished still there, and as promised?"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from pipeline.cli.presentation import Place, Presentation, json_option, presentation_options, tell
from pipeline.ground.errors import ExitCode

EPILOG = """\b
Exit: 0 all is well, 3 something is wrong with an output, 5 OUTPUT holds no
archive.

\b
Examples:
  colorize verify colour
  colorize verify colour --json
"""


@click.command(epilog=EPILOG)
@click.argument("output", metavar="OUTPUT", type=Place())
@json_option
@presentation_options
@click.pass_obj
def command(presentation: Presentation, /, output: Path, as_json: bool) -> int:
    """Check every finished picture: its bytes, the original inside, its luma.

    Files are compared with the hashes of the manifest; originals are taken out
    of coloured JPEGs; each luma is compared with the source's. Nothing is written.
    """
    from pipeline.run.verify import verify

    counts, restorable, wrong = Counter[str](), 0, 0
    for finding in verify(output):
        counts[finding.luma or "wrong"] += 1
        restorable += finding.restorable
        wrong += bool(finding.problems)
        if as_json:
            click.echo(json.dumps(asdict(finding)))
        elif finding.problems:
            tell(f"{finding.output}: {'; '.join(finding.problems)}")
    if not as_json and not presentation.quiet:
        tell(f"{counts.total():,} outputs checked, {wrong:,} wrong; {restorable:,} hold their original.")
        for luma, count in sorted(counts.items()):
            tell(f"  {count:>9,}  {luma}")
    return int(ExitCode.SOME_FAILED if wrong else ExitCode.OK)
