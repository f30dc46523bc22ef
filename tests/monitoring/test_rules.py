"""Every alert fires when it shall and only then, and has a page that says what to do; promtool judges."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from avance.operator.metrics import PREFIX, Metrics
from e2e.monitoring.programs import prometheus_programs
from e2e.tests.programs import had
from tests.monitoring.rules import CASES, LEADER, RULES, RUNBOOKS, Case, alerts, condition, of_node, one, rules

Object = dict[str, Any]
SECTIONS = ("## What avance does by itself", "## What to do", "## It is over when")


def promtool(*arguments: object) -> str:
    command = [had(prometheus_programs) / "promtool", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_tests(tests: list[Object], directory: Path, every: str = "30s") -> None:
    file = directory / "tests.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": every, "tests": tests}))
    promtool("test", "rules", file)


def as_test(number: int, case: Case) -> Object:
    firing = f'ALERTS{{alertname="{case.alert}",alertstate="firing"}}'
    severity = alerts()[case.alert]["labels"]["severity"]
    expected = {"alertname": case.alert, "alertstate": "firing"} | (case.labels or {}) | {"severity": severity}
    told = ",".join(f'{name}="{value}"' for name, value in expected.items())
    samples = [] if case.labels is None else [{"labels": f"ALERTS{{{told}}}", "value": 1}]
    return {
        "name": f"{number} {case.alert} {'stays quiet' if case.labels is None else 'fires'}",
        "interval": "30s",
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "promql_expr_test": [{"expr": firing, "eval_time": case.at, "exp_samples": samples}],
    }


def test_prometheus_takes_the_rules() -> None:
    assert f"{len(list(rules()))} rules found" in promtool("check", "rules", RULES)


@pytest.mark.parametrize(("every", "patient"), [("30s", False), ("5m", True)], ids=["soon", "late"])
def test_every_alert_fires_when_it_shall_and_only_then(every: str, patient: bool, tmp_path: Path) -> None:
    cases = [case for case in CASES if ("h" in case.at or int(case.at[:-1]) > 20) is patient]
    run_tests([as_test(number, case) for number, case in enumerate(cases)], tmp_path, every)


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    assert {case.alert for case in CASES if case.labels is not None} == alerts().keys()
    assert {case.alert for case in CASES if case.labels is None} == alerts().keys()


def test_an_alert_tells_the_reason_in_words(tmp_path: Path) -> None:
    reason = f'avance_pair_condition_reason{{{LEADER},pair="shop",type="FailoverReady",reason="NoRoom"}}'
    waits = "avance_fence_waiting_seconds{" + LEADER + ',pair="shop",node="node-a"}'
    told = alerts()["AvanceFailoverNotReady"]["annotations"]
    expected = {
        "summary": "A crash in pair shop would not be survived without a person",
        "description": "FailoverReady of pair shop is False: NoRoom.",
        "runbook_url": told["runbook_url"],
    }
    waiting = {
        "summary": "VMs wait for the proof that node-a is off",
        "description": "node-a of pair shop has been held to be dead for 10m 0s and nothing proves it off. Its VMs "
        "stay down until something or somebody does.",
        "runbook_url": alerts()["AvanceFencingUnproven"]["annotations"]["runbook_url"],
    }
    labels = {"pair": "shop", "type": "FailoverReady", "severity": "critical"}
    of_fence = {"pair": "shop", "node": "node-a", "severity": "critical"}
    series = condition("FailoverReady", 0) | one(reason, 1) | {waits: "0+30x720"}
    run_tests(
        [
            {
                "interval": "30s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "alert_rule_test": [
                    {
                        "eval_time": "10m",
                        "alertname": "AvanceFailoverNotReady",
                        "exp_alerts": [{"exp_labels": labels, "exp_annotations": expected}],
                    },
                    {
                        "eval_time": "10m",
                        "alertname": "AvanceFencingUnproven",
                        "exp_alerts": [{"exp_labels": of_fence, "exp_annotations": waiting}],
                    },
                ],
            }
        ],
        tmp_path,
    )


def test_an_alert_outlives_a_change_of_the_leader(tmp_path: Path) -> None:
    """Pending counts on, though the series come from another replica afterwards."""
    before, after = (f'avance_pair_condition{{pod="avance-{n}",pair="shop",type="Ready"}}' for n in (1, 2))
    case = Case(
        "AvancePairNotReady",
        {before: "0x6 stale", after: "_x7 0x60"},
        "5m30s",
        {"pair": "shop", "type": "Ready"},
    )
    run_tests([as_test(0, case)], tmp_path)


def test_every_alert_says_what_it_is_and_how_grave() -> None:
    for name, rule in alerts().items():
        assert rule["labels"].keys() == {"severity"}, name
        assert rule["labels"]["severity"] in ("critical", "warning"), name
        assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}, name
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"


def test_every_alert_has_its_runbook_and_every_runbook_its_alert() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == alerts().keys()


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.stem)
def test_a_runbook_says_what_it_is_and_what_to_do(page: Path) -> None:
    text = page.read_text()
    assert text.startswith(f"# {page.stem}\n\n")
    assert tuple(re.findall(r"^## .*$", text, re.MULTILINE)) == SECTIONS
    for link, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)", text):
        headings = re.findall(r"^#+ (.*)$", (page.parent / link).read_text(), re.MULTILINE)
        assert not anchor or anchor in {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
    for number, line in enumerate(text.splitlines()):
        assert len(line) <= 120 or line.startswith(("|", "$")), number


def test_the_rules_ask_for_nothing_that_the_operator_does_not_tell() -> None:
    told = metric_names()
    for rule in rules():
        asked = set(re.findall(rf"\b{PREFIX}[a-z0-9_]+\b", rule["expr"]))
        assert asked <= told, f"{rule.get('alert') or rule['record']}: no such metric: {asked - told}"


def metric_names() -> set[str]:
    """Every name that a query may use."""
    names = set()
    for family in Metrics().registry.collect():
        suffixes = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}.get(family.type, ("",))
        names |= {family.name + suffix for suffix in suffixes}
    return names


def test_a_fault_that_was_repaired_fires_nothing_any_more(tmp_path: Path) -> None:
    gone = dict.fromkeys(of_node("node_faults", 1, kind="Fan", severity="Benign"), "1x4 stale")
    run_tests([as_test(0, Case("AvanceComponentFailed", gone, "10m"))], tmp_path)


def test_the_configuration_in_the_documentation_is_taken(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", (RUNBOOKS.parent / "monitoring.md").read_text(), re.DOTALL)
    configuration = yaml.safe_load(block)
    for job in configuration["scrape_configs"]:
        # Debian's Prometheus is built without the discovery of pods.
        assert job.pop("kubernetes_sd_configs") == [{"role": "pod", "namespaces": {"names": ["avance-system"]}}]
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
    (tmp_path / "avance.yaml").write_text(RULES.read_text())
    assert f"{len(list(rules()))} rules found" in promtool("check", "config", tmp_path / "prometheus.yaml")
