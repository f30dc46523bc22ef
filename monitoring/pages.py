"""The four pages: the fleet, one pair, one VM, the operator. The first question of each is in its first line."""

from __future__ import annotations

from monitoring.grafana import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    YELLOW,
    YES_NO,
    Query,
    curves,
    dashboard,
    matrix,
    stat,
    states,
    table,
    variable,
    without,
)

NONE_IS_GOOD = ((None, GREEN), (1, RED))
SCORE = ((None, RED), (60, ORANGE), (90, YELLOW), (100, GREEN))
PAIR = variable("pair", "Pair", "label_values(avance_pair_info, pair)")
OF_PAIR = 'pair="$pair"'
OF_VM = 'pair="$pair", namespace="$namespace", vm="$vm"'
GOOD_WHEN_TRUE = (
    "Ready|Redundant|FailoverReady|PrivateLinkHealthy|FencingClear|SolePowerAuthority|Calm|MigrationsReady"
    "|NotificationsDelivered|KubeVirtReady"
)


def _quantiles(histogram: str) -> tuple[Query, ...]:
    rate = f"sum by (le) (rate({histogram}_bucket[$__rate_interval]))"
    return tuple(Query(f"histogram_quantile({q / 100:g}, {rate})", f"{q}th percentile") for q in (50, 99))


FLEET = dashboard(
    "fleet", "Fleet", "All pairs: is each all right, and if not, which is not?", (),
    stat("Pairs", "Pairs that the leading operator serves.", "count(max by (pair) (avance_pair_info)) or vector(0)",
         steps=((None, BLUE),), width=3),
    stat("Leader", "Operators that lead: exactly one, or no crash is answered.", "sum(avance_leader)",
         values={"1": ("1", GREEN)}, steps=((None, RED),), width=3),
    stat("Not ready for a crash", "Pairs in which a crash now would not be survived without a person.",
         'count(avance:pair_condition{type="FailoverReady"} != 1) or vector(0)', steps=NONE_IS_GOOD, width=3),
    stat("Not redundant", "Pairs that could not do without one of their servers now.",
         'count(avance:pair_condition{type="Redundant"} != 1) or vector(0)', steps=NONE_IS_GOOD, width=3),
    stat("VMs down", "VMs that shall run and do not, or cannot be seen to.",
         "count(avance:vm_up == 0) or vector(0)", steps=NONE_IS_GOOD, width=3),
    stat("VMs up", "VMs that shall run and do.", "count(avance:vm_up == 1) or vector(0)", steps=((None, BLUE),),
         width=3),
    stat("Broken parts", "Faults that are there now, on all servers.",
         "sum(max by (pair, node, kind, severity) (avance_node_faults)) or vector(0)", steps=NONE_IS_GOOD, width=3),
    stat("Alerts", "Alerts of avance that fire now.",
         'count(ALERTS{alertname=~"Avance.*", alertstate="firing"}) or vector(0)', steps=NONE_IS_GOOD, width=3),
    table("Pairs", "Every condition of every pair that answers a question to which yes is good.",
          Query(f'max by (pair, type) (avance:pair_condition{{type=~"{GOOD_WHEN_TRUE}"}})'), width=14,
          values=YES_NO, transformations=matrix("pair", "type")),
    table("Firing", "Alerts that fire now. Each has a runbook.",
          Query('max by (alertname, severity, pair, node, namespace, vm) '
                '(ALERTS{alertname=~"Avance.*", alertstate="firing"})'), width=10,
          transformations=(without("Value"),)),
    states("Ready for a crash", "Would a crash have been survived without a person?",
           Query('max by (pair) (avance:pair_condition{type="FailoverReady"})', "{{pair}}"), values=YES_NO),
    states("Redundant", "Could either server have been lost?",
           Query('max by (pair) (avance:pair_condition{type="Redundant"})', "{{pair}}"), values=YES_NO),
    curves("Broken parts by kind", "Faults that are there, by kind of part.", "short",
           Query("sum by (kind) (max by (pair, node, kind, severity) (avance_node_faults))", "{{kind}}"), width=8),
    curves("VMs by phase", "What the VMs do.", "short",
           Query("count by (phase) (max by (pair, namespace, vm, phase) (avance_vm_info))", "{{phase}}"), width=8),
    curves("What was done", "Actions that ended since the leader began to lead, by type and outcome.", "short",
           Query("sum by (type, outcome) (avance_actions_total)", "{{type}} {{outcome}}"), width=8),
    table("Least redundant", "The share of the time shown in which a pair was redundant, the lowest ten.",
          Query("bottomk(10, avg_over_time(avance:pair_redundant[$__range]))"), unit="percentunit",
          transformations=(without("type"),)),
    table("Least available", "The share of the time shown in which a VM ran, of that in which it should; lowest ten.",
          Query("bottomk(10, avg_over_time(avance:vm_up[$__range]))"), unit="percentunit",
          transformations=(without("type"),)),
)  # fmt: skip

PAIR_PAGE = dashboard(
    "pair", "Pair", "One pair: which server does what, what is broken, could it be fenced, how long do things take?",
    (PAIR,),
    *(stat(title, text, f'max(avance:pair_condition{{{OF_PAIR}, type="{type_}"}})', values=YES_NO, width=3)
      for title, type_, text in (
          ("Served", "Ready", "Two nodes were found and the spec is followed."),
          ("Ready for a crash", "FailoverReady", "A crash now would be survived without a person."),
          ("Redundant", "Redundant", "Either server can be lost."),
          ("Private link", "PrivateLinkHealthy", "The servers reach each other."),
          ("Fencing clear", "FencingClear", "No dead server waits in vain for the proof that it is off."),
          ("Calm", "Calm", "No storm: new things may be begun."),
      )),
    stat("Paused", "A person has ordered that nothing be begun.",
         f'max(avance:pair_condition{{{OF_PAIR}, type="Paused"}})',
         values={"0": ("no", GREEN), "1": ("paused", ORANGE)}, width=3),
    stat("Mode", "Automatic: the operator acts. Observe: it only says what it would do.",
         f"max by (mode) (avance_pair_info{{{OF_PAIR}}})", legend="{{mode}}", width=3, steps=((None, BLUE),),
         options={"textMode": "name", "colorMode": "background", "graphMode": "none"}),
    table("Why not", "The reason of each condition that is not as it should be. `kubectl describe pair` has the words.",
          Query(f"max by (type, reason) (avance_pair_condition_reason{{{OF_PAIR}}})"), width=8,
          transformations=(without("Value"),)),
    table("VMs", "Where each VM is and what it does.",
          Query(f"max by (namespace, vm, phase, primary, backup) (avance_vm_info{{{OF_PAIR}}})"), width=10,
          transformations=(without("Value"),)),
    table("Under way", "Actions that have not ended.",
          Query(f"max by (type) (avance_open_actions{{{OF_PAIR}}})"), width=6),
    states("State of the servers", "InService and Degraded servers serve.",
           Query(f"max by (node, state) (avance_node_state{{{OF_PAIR}}})", "{{node}} {{state}}"),
           values={"1": ("yes", BLUE)}),
    curves("Health", "100 is no fault, 0 is gone. VMs move when the other server is better by the margin.", "none",
           Query(f"max by (node) (avance_node_health_score{{{OF_PAIR}}})", "{{node}}"), maximum=100),
    table("Broken parts", "Faults that are there now, by kind.",
          Query(f"max by (node, kind, severity) (avance_node_faults{{{OF_PAIR}}})"), width=6),
    table("Not trusted any more", "Components whose mean time between failures is below its threshold.",
          Query(f"max by (node, kind) (avance_node_mtbf_exceeded_components{{{OF_PAIR}}})"), width=6),
    states("Could it be fenced?", "Whether the BMC gave a usable answer.",
           Query(f"max by (node) (avance_node_fence_path{{{OF_PAIR}}})", "{{node}}"), values=YES_NO, width=6),
    curves("Age of the last answer", "How long ago each BMC was asked. Mind the check interval of the pair's spec.",
           "s", Query(f"time() - max by (node) (avance_node_fence_check_timestamp_seconds{{{OF_PAIR}}})", "{{node}}"),
           width=6),
    curves("Waiting for proof", "How long a server held to be dead has not been proven off: its VMs are down.", "s",
           Query(f"max by (node) (avance_fence_waiting_seconds{{{OF_PAIR}}})", "{{node}}"), width=8),
    table("Phases of a failover", "The last and the longest measurement of each phase and its budget. Migration: the "
          "budget is for each GiB of the VM's memory.",
          Query(f"max by (phase) (avance_phase_last_seconds{{{OF_PAIR}}})"),
          Query(f"max by (phase) (avance_phase_longest_seconds{{{OF_PAIR}}})"),
          Query("max by (phase) (avance_phase_budget_seconds)"), unit="s", width=8,
          transformations=({"id": "merge", "options": {}}, {
              "id": "organize",
              "options": {"excludeByName": {"Time": True},
                          "renameByName": {"Value #A": "last", "Value #B": "longest", "Value #C": "budget"}},
          })),
    curves("Resynchronisation", "How far copies of disks are brought up to date.", "percent",
           Query(f"max by (namespace, vm, node) (avance_vm_resync_percent{{{OF_PAIR}}})",
                 "{{namespace}}/{{vm}} on {{node}}"), width=8, maximum=100),
)  # fmt: skip

VM = dashboard(
    "vm", "VM", "One VM: does it run, would it survive the loss of its server, how often was it down?",
    (
        PAIR,
        variable("namespace", "Namespace", 'label_values(avance_vm_info{pair="$pair"}, namespace)'),
        variable("vm", "VM", 'label_values(avance_vm_info{pair="$pair", namespace="$namespace"}, vm)'),
    ),
    *(stat(title, text, f'max(avance:vm_condition{{{OF_VM}, type="{type_}"}})', values=YES_NO, width=3)
      for title, type_, text in (
          ("Runs", "Ready", "The guest runs and answers."),
          ("Protected", "Protected", "It would survive the loss of its server."),
          ("Can move", "Migratable", "It can be moved while it runs."),
          ("In sync", "Synced", "Both servers hold its newest disks, or share them."),
          ("Stable", "Stable", "It does not keep failing."),
          ("Has room", "Admitted", "Either server can hold it beside the others."),
      )),
    stat("Good copies", "Servers that hold all its disks up to date; no value with shared storage.",
         f"max(avance_vm_up_to_date_copies{{{OF_VM}}})", steps=((None, RED), (2, GREEN)), width=3),
    stat("Up in the time shown", "Share of the time in which it ran, of that in which it should.",
         f"max(avg_over_time(avance:vm_up{{{OF_VM}}}[$__range]))", "percentunit",
         steps=((None, RED), (0.99, ORANGE), (0.9999, GREEN)), width=3),
    table("Where it is", "Its phase, its primary and its backup now.",
          Query(f"max by (phase, primary, backup) (avance_vm_info{{{OF_VM}}})"), width=8, height=6,
          transformations=(without("Value"),)),
    table("Why not", "The reason of each condition that is not as it should be. `kubectl describe pvm` has the words.",
          Query(f"max by (type, reason) (avance_vm_condition_reason{{{OF_VM}}})"), width=8, height=6,
          transformations=(without("Value"),)),
    table("Last failover", "How it was moved or restarted last, and how long that took from the cause on.",
          Query(f"max by (kind) (avance_vm_last_failover_seconds{{{OF_VM}}})"), unit="s", width=8, height=6),
    table("Down this year", "How long it did not run though it should have, by whether somebody asked for it.",
          Query(f"max by (kind) (avance_vm_downtime_seconds{{{OF_VM}}})"), unit="s", width=16, height=6),
    stat("Available this year", "Planned downtime is not held against it. `avance report` says what it cost.",
         f"max(avance_vm_availability_ratio{{{OF_VM}}})", "percentunit",
         steps=((None, RED), (0.99, ORANGE), (0.9999, GREEN)), width=8, height=6),
    states("Phase", "What it did when.",
           Query(f"max by (phase) (avance_vm_info{{{OF_VM}}})", "{{phase}}"), values={"1": ("yes", BLUE)}),
    states("Server", "Where it ran when.",
           Query(f"max by (primary) (avance_vm_info{{{OF_VM}}})", "{{primary}}"), values={"1": ("yes", BLUE)}),
    states("Conditions", "Yes is good for each.",
           Query(f"max by (type) (avance:vm_condition{{{OF_VM}}})", "{{type}}"), values=YES_NO),
    curves("Down for", "How long it has been down though it should run.", "s",
           Query(f"time() - max(avance_vm_down_since_timestamp_seconds{{{OF_VM}}})", "down")),
    curves("Resynchronisation", "How far the copy on a server is brought up to date.", "percent",
           Query(f"max by (node) (avance_vm_resync_percent{{{OF_VM}}})", "{{node}}"), width=8, maximum=100),
    curves("Time left", "Until it is, as the storage estimates it.", "s",
           Query(f"max by (node) (avance_vm_resync_left_seconds{{{OF_VM}}})", "{{node}}"), width=8),
    curves("Failed moves", "Moves that failed within an hour, and none succeeded since.", "short",
           Query(f"max(avance_vm_failed_moves{{{OF_VM}}})", "failed"), width=8),
)  # fmt: skip

OPERATOR = dashboard(
    "operator", "Operator", "The operator: who leads, does it hear the cluster, is it late, what does it do?", (),
    table("Replicas", "Operators that are scraped; one leads.",
          Query("max by (instance, pod) (avance_leader)"), width=8, height=6,
          values={"1": ("leads", GREEN), "0": ("stands by", GREY)}),
    table("Version", "What runs.", Query("max by (instance, version) (avance_build_info)"), width=8, height=6,
          transformations=(without("Value"),)),
    states("Leader", "Who led when.", Query("max by (instance) (avance_leader)", "{{instance}}"), width=8, height=6,
           values={"1": ("leads", GREEN), "0": ("stands by", GREY)}),
    curves("Age of the Lease", "Since each replica saw the leader's Lease renewed. A takeover begins at 6 s.", "s",
           Query("max by (instance) (avance_lease_age_seconds)", "{{instance}}"), width=8),
    curves("Silence of the watches", "Since each replica has heard of any node. At 60 s it restarts itself.", "s",
           Query("max by (instance) (avance_watch_silence_seconds)", "{{instance}}"), width=8),
    curves("Late by", "How late the process gets round to what is due.", "s",
           Query("max by (instance) (avance:event_loop_delay_seconds:p99_5m)", "{{instance}} 99 %"), width=8),
    curves("Wait for a look", "From a change to the look at its pair.", "s",
           *_quantiles("avance_look_wait_seconds"), width=8),
    curves("One decision", "How long the rules take for one pair.", "s",
           *_quantiles("avance_plan_duration_seconds"), width=8),
    curves("Failed looks", "Looks that ended in an error, by pair.", "cps",
           Query("sum by (pair) (avance:failed_passes:rate5m)", "{{pair}}"), width=8),
    curves("Changes seen", "What the watches bring, by kind of object.", "cps",
           Query("sum by (kind) (rate(avance_watch_events_total[$__rate_interval]))", "{{kind}}"), width=8),
    curves("Things done", "What was done to the cluster and to BMCs since it began to lead, and how it ended.", "short",
           Query("sum by (effect, outcome) (avance_effects_total)", "{{effect}} {{outcome}}"),
           width=8),
    curves("Steps of actions", "How long they last on average, by type and step, since it began to lead.", "s",
           Query("sum by (type, step) (avance_step_duration_seconds_sum) / "
                 "sum by (type, step) (avance_step_duration_seconds_count)", "{{type}} {{step}}"), width=8),
    curves("Memory", "Resident memory of the process. 512 MiB are enough for 1,000 pairs.", "bytes",
           Query("max by (instance) (process_resident_memory_bytes and on (instance) avance_leader)", "{{instance}}")),
    curves("CPU", "Processors in use.", "short",
           Query("max by (instance) (irate(process_cpu_seconds_total[5m]) and on (instance) avance_leader)",
                 "{{instance}}")),
)  # fmt: skip

PAGES = {"fleet": FLEET, "pair": PAIR_PAGE, "vm": VM, "operator": OPERATOR}
