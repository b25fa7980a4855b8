"""The report of a check: one HTML file that opens from disk and asks nobody for anything."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from revisit.check import Dossier
from revisit.dossier_view import caveat_lines, claim_view, outcome_counts, summary_line
from revisit.flags import SIMULATED
from revisit.manifest import ATTRIBUTION, software
from revisit.report import environment, inline_hash, template_text
from revisit.symbols import SIGN_COLOURS
from revisit.timeline import timeline

METHOD = (
    (
        "Each place was searched for all passes of Sentinel-2 and Sentinel-1 from 45 days before the first window to "
        "15 days after the last; one file was taken of each pass."
    ),
    (
        "Each usable look in a claim's window was compared with the last usable one before it of its own sensor and "
        "relative orbit. Earlier dates of that orbit give the noise and the thresholds."
    ),
    (
        "The claim's object was put into the very images, at random places, headings and reflectances, on the "
        "same kind of ground; the share that is flagged is its probability of detection. Under 0.5 on every look: "
        "not observable."
    ),
    (
        "A flag of the right place, sign and size supports a claim where its chance is at most 0.01 per place of "
        "0.01 km2 and its likelihood ratio at least 20. Silence contradicts only where the object would have been "
        "seen with a probability of 0.95 or more and the window is covered as densely as the object's shortest "
        "stay."
    ),
    (
        "Likelihood ratios of looks that were held against different scenes multiply, where they flag the same spot; "
        "of looks that share their reference only one counts. A sensor that should show it and does not counts "
        "against it."
    ),
    (
        "A changed surface is measured against unchanged ground of the same cover: over half of the place beyond "
        "its 99.9 % point supports, under 1 % contradicts where at least 95 % of changes put there would not have "
        "stayed below that."
    ),
    (
        "All claims of the file are looked at together: at most 5 % of the verdicts that rest on a flag are "
        "expected to be chance (Benjamini and Hochberg, 1995)."
    ),
)
LIMITS = (
    "One pixel covers 10 x 10 m. Loading, dismantling, identity, ownership and purpose are below it.",
    "What came and went between two looks leaves no trace.",
    "An object that is replaced by another of its kind is no change.",
    (
        "Probabilities of detection hold for the shapes and reflectances of the catalogue, not for camouflage, "
        "nets or roofs."
    ),
    (
        "Radar echoes of parked objects depend on their aspect by tens of decibels, and no table of measured ones is "
        "public: the probabilities of detection by radar rest on assumed cross-sections."
    ),
    "The surface of a place is judged by optical imagery alone.",
)


def _policy(style: str) -> str:
    """Return the content security policy: the page's own style and pictures, no script, nothing from elsewhere."""
    return f"default-src 'none'; img-src data:; style-src '{inline_hash(style)}'; base-uri 'none'; form-action 'none'"


def _style() -> str:
    """Return the style sheet: that of a run's report, and what a check needs beside it."""
    own = "".join(f"--{name}:{value};" for name, value in [("cols", 600), ("rows", 600), *SIGN_COLOURS.items()])
    return f":root{{{own}}}\n{template_text('base.css')}\n{template_text('report.css')}\n{template_text('dossier.css')}"


def _view(dossier: Dossier) -> dict[str, Any]:
    """Return all values that the template shows."""
    verdicts = {verdict.id: verdict for verdict in dossier.verdicts}
    drawings = [drawing for one in dossier.areas if (drawing := timeline(one, dossier))]
    return {
        "publication": dossier.claims.publication,
        "name": dossier.claims.name,
        "summary": summary_line(dossier),
        "caveats": caveat_lines(dossier),
        "simulated": SIMULATED if dossier.simulated else None,
        "attribution": None if dossier.simulated else ATTRIBUTION,
        "outcomes": outcome_counts(dossier),
        "claims": [
            claim_view(claim, verdicts[claim.id], dossier.gathered[claim.id])
            for claim in dossier.claims.claims
            if claim.id in verdicts
        ],
        "timelines": drawings,
        "method": METHOD,
        "limits": LIMITS,
        "warnings": [warning for one in dossier.areas for warning in one.warnings],
        "spec": dossier.spec,
        "software": software(),
    }


def render_dossier(dossier: Dossier) -> str:
    """Return the page; the same dossier gives the same text.

    Statements, names and notes come from files that anybody may have written: they are escaped, and nothing can run.
    """
    style = Markup(_style())  # noqa: S704 - our own files
    template = environment().get_template("dossier.html.j2")
    return template.render(style=style, policy=_policy(style), **_view(dossier))
