"""junit.xml: the verdict and each piece of proof as a test case, for CI systems."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree


def render(report: dict[str, Any]) -> str:
    """A JUnit document of one suite; text in `report` is already redacted and printable."""
    cases = [("verdict", _verdict_failure(report))]
    cases += [(piece["piece"], _piece_failure(piece)) for piece in report["proof"]["pieces"]]
    failures = sum(failure is not None for _, failure in cases)
    suite = ElementTree.Element(
        "testsuite",
        name="kaspa-node verify",
        tests=str(len(cases)),
        failures=str(failures),
        errors="0",
        skipped="0",
        time=f"{report['seconds']}",
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name in ("run_id", "verdict", "path", "expect_path", "inventory"):
        ElementTree.SubElement(properties, "property", name=name, value=str(report[name]))
    for name, failure in cases:
        case = ElementTree.SubElement(suite, "testcase", classname="kaspa_node.evidence", name=name, time="0")
        if failure is not None:
            kind, text = failure
            ElementTree.SubElement(case, "failure", type=kind, message=text).text = text
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _verdict_failure(report: dict[str, Any]) -> tuple[str, str] | None:
    if report["exit_code"] == 0:
        return None
    return report["verdict"], f"{report['reason']}. {report['hint']}"


def _piece_failure(piece: dict[str, Any]) -> tuple[str, str] | None:
    return None if piece["found"] == "proven" else (piece["found"], piece["detail"])
