"""Renders the chart as helm does, without a cluster, and holds what comes out against the schemas of Kubernetes.

Runs in the environment of the tools: a list of values as JSON on standard input; for each, `{"error": ...}`, or what
helm's linter finds, the manifests and what the schemas find wrong with them, as JSON on standard output.
"""

import json
import sys
from pathlib import Path

import helm_python
import kubernetes_validate
import yaml

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "manualqa"
VERSIONS = ("1.29", "1.37")


def looked_at(values: dict[str, object]) -> dict[str, object]:
    try:
        with helm_python.Chart.load(CHART) as chart:
            chart.validate_schema(chart.merge_values(values))
            rendered = chart.render(values, name="mq", namespace="manuals", is_install=True)
    except helm_python.HelmError as error:
        return {"error": str(error)}
    manifests = [
        manifest
        for name, text in sorted(rendered.items())
        if name.endswith(".yaml")
        for manifest in yaml.safe_load_all(text)
        if manifest
    ]
    faults = []
    for manifest in manifests:
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(manifest, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                faults.append(f"{manifest['kind']} {manifest['metadata']['name']}: {error.message}")
    return {"lint": helm_python.lint(CHART, values), "manifests": manifests, "faults": faults}


json.dump([looked_at(values) for values in json.load(sys.stdin)], sys.stdout)
