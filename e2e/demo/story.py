"""The story of `make demo`, as data: eight steps in the life of a pair of servers in a shop."""

from collections.abc import Sequence

from e2e.demo import tables
from e2e.demo.conditions import (
    closed_to_scheduling,
    done,
    moving_at_once,
    newest_spec_seen,
    node_state,
    nodes_ready,
    nodes_take_vms,
    not_touched,
    nothing_new,
    pair_is,
    primary_is,
    proven_off,
    score_is,
    somebody_leads,
    started_in_order,
    untainted,
    vms_run,
)
from e2e.demo.parts import Apply, BringUp, Do, Expect, Expectation, Kubectl, Part, Programs, Rights, Say, Show, Step

VMS = ("till", "files", "cameras")
OPERATOR = "system:serviceaccount:avance-system:avance"
EIGHT_AT_ONCE = (
    '{"spec":{"configuration":{"migrations":{"parallelMigrationsPerCluster":8,"parallelOutboundMigrationsPerNode":8}}}}'
)


def kubectl(*arguments: str) -> Kubectl:
    return Kubectl(arguments)


def must_be_refused(*arguments: str) -> Kubectl:
    return Kubectl(arguments, refused=True)


def look_again(actions_kept: int) -> tuple[Part, ...]:
    """Has the operator look at everything anew: it confirms the newest spec only after it has planned with it."""
    patch = f'{{"spec":{{"retention":{{"actions":{actions_kept}}}}}}}'
    return (
        kubectl("patch", "pair", "demo", "--type=merge", f"--patch={patch}"),
        Expect(Expectation("the operator has looked at the pair again", 10, newest_spec_seen)),
        Expect(Expectation("and has done nothing", 1, nothing_new)),
    )


CLUSTER = Step(
    "A cluster comes up",
    Say(
        "A shop has two ordinary servers, node-a and node-b, and a small third computer that manages them. Everything "
        "that you see is real Kubernetes on this machine; only the servers themselves and the guests in the virtual "
        "machines are played. Each server has a management controller (BMC) that can switch it on and off. The first "
        "time, the programs of Kubernetes are built here, which takes some minutes; from then on they are kept."
    ),
    BringUp(),
    Expect(
        Expectation("all three nodes are Ready", 30, nodes_ready("node-a", "node-b", "cp-0")),
        Expectation("both servers of the pair take VMs", 30, nodes_take_vms("node-a", "node-b")),
    ),
    Programs(),
    kubectl("version"),
    kubectl("get", "nodes", "--label-columns=avance.dev/pair"),
    kubectl("get", "pods", "--all-namespaces", "-o", "wide"),
    kubectl("get", "kubevirt", "--all-namespaces"),
)

OPERATOR_STARTS = Step(
    "The operator starts, as itself",
    Say(
        "The operator is the program that will look after both servers. It runs under the service account that its "
        "Helm chart made, and with the rights that the chart gave to it, no more."
    ),
    Do("the operator starts", "operator", {"action": "start", "number": 1}),
    Expect(Expectation("it leads: it holds the Lease that says who may act", 20, somebody_leads)),
    kubectl("get", "lease", "--namespace=avance-system"),
    Rights("In the whole cluster", ("clusterrole", "avance-operator")),
    Rights("In its own namespace", ("role", "avance", "--namespace=avance-system")),
    Say("It may do nothing else. To delete a node, say, or to read other people's secrets:"),
    must_be_refused("delete", "node", "cp-0", "--dry-run=server", f"--as={OPERATOR}"),
    must_be_refused("get", "secrets", "--namespace=kube-system", f"--as={OPERATOR}"),
    Say("KubeVirt moves two VMs off a node at a time, unless told otherwise. Here all of them shall move at once:"),
    kubectl("patch", "kubevirt", "kubevirt", "--namespace=kubevirt", "--type=merge", f"--patch={EIGHT_AT_ONCE}"),
)

PLACED = Step(
    "Two servers become a pair, three virtual machines are protected",
    Say("First the pair: which two servers, and how each of them can be switched off for certain."),
    Apply("pair.yaml"),
    Expect(
        Expectation("the pair is Ready", 20, pair_is("Ready")),
        Expectation(
            "a crash would be survived: both BMCs answer, and are the right ones", 20, pair_is("FailoverReady")
        ),
    ),
    Say("Now the till, the file server and the cameras: three VMs of different sizes. The till matters most."),
    Apply("vms.yaml"),
    Expect(Expectation("all three run on node-a and are Protected", 40, vms_run(*VMS, on="node-a", protected=True))),
    kubectl("get", "pair,pvm"),
)

POWER_SUPPLY = Step(
    "A power supply of node-a fails",
    Say(
        "node-a runs on its second power supply now: nothing has stopped, but one more fault would be the end. node-b "
        "is the healthier server, so all VMs move there while they run, all at the same time, and nobody in the shop "
        "notices. A replacement is ordered."
    ),
    Do(
        "power supply PSU2 of node-a fails",
        "fail",
        {"node": "node-a", "kind": "PowerSupply", "component": "PSU2", "part": "PSU-920W-P", "serial": "PS2-7F3A91"},
    ),
    Expect(
        Expectation(
            "node-a scores 92, and the score explains itself",
            10,
            score_is("node-a", 92, "92 = 100 - 8 (power supply PSU2 of node-a failed)"),
        ),
        Expectation(
            "a call-home is on record, with part and serial number",
            10,
            done("CallHome", "node-a", saying=("PSU2", "PSU-920W-P", "PS2-7F3A91")),
        ),
        Expectation("all three VMs are being moved at the same moment", 20, moving_at_once(*VMS)),
        Expectation("three moves, one for each VM, all of them done", 40, done("Migrate", *VMS)),
        Expectation("the roles are swapped: all run on node-b", 40, vms_run(*VMS, on="node-b", protected=True)),
        Expectation("node-b is the pair's primary", 40, primary_is("node-b")),
    ),
    kubectl("get", "vmim"),
    Say("The new power supply arrives and is plugged in. node-a is as good as node-b again, and no better: all stays."),
    Do(
        "PSU2 of node-a is replaced",
        "repair",
        {"node": "node-a", "kind": "PowerSupply", "component": "PSU2"},
    ),
    Expect(Expectation("node-a scores 100 again", 10, score_is("node-a", 100))),
    Say(
        "To be sure that it has seen this, the operator is made to look again, twice, by a change without consequence:"
    ),
    *look_again(actions_kept=499),
    *look_again(actions_kept=500),
    Expect(Expectation("all VMs are where they were", 1, vms_run(*VMS, on="node-b", protected=True))),
)

GUEST_CRASHES = Step(
    "The till's operating system crashes",
    Say("This has nothing to do with the server: the till is started again where it is. The others do not notice."),
    Do("the guest in VM till crashes", "guest", {"how": "crash", "vm": "default/till"}),
    Expect(Expectation("one restart, of the till alone", 30, done("Restart", "till"))),
    Expect(
        Expectation("all run on node-b", 10, vms_run(*VMS, on="node-b", protected=True)),
        Expectation("the guests of the others are the same as before", 1, not_touched("files", "cameras")),
    ),
    kubectl("get", "pvm"),
)

POWER_CUT = Step(
    "node-b dies without a word",
    Say(
        "node-b runs everything, and loses its power in the middle of a word. Before the VMs may run elsewhere it must "
        "be certain that they run there no more: two copies of one VM would ruin its disks. So the operator closes "
        "node-b, asks its BMC, which lives on stand-by power, and believes nothing but the word Off, said twice. Only "
        "then the VMs start on node-a: the till first, the cameras last."
    ),
    Do("the power of node-b is cut", "power_cut", {"node": "node-b"}),
    Expect(
        Expectation("node-b is closed to scheduling", 20, closed_to_scheduling("node-b")),
        Expectation("node-b is fenced: proven off by its own BMC", 50, proven_off("node-b")),
        Expectation("the fence is done", 60, done("Fence", "node-b")),
        Expectation("the VMs start in the order of their tiers", 60, started_in_order(*VMS)),
        Expectation("one cold restart for each VM", 60, done("ColdRestart", *VMS)),
        Expectation("all run on node-a", 60, vms_run(*VMS, on="node-a", protected=False)),
        Expectation("node-a is the pair's primary", 60, primary_is("node-a")),
    ),
    Show(tables.crash_phases),
)

REJOINS = Step(
    "node-b comes back",
    Say(
        "The VMs are safe, so the operator switches node-b on again, through its BMC. A server that has just died is "
        "not trusted at once: it is watched for a while (5 seconds here, a minute by default) before it serves as the "
        "backup. The VMs stay on node-a."
    ),
    Expect(
        Expectation("node-b has rejoined", 60, done("Rejoin", "node-b")),
        Expectation("node-b is in service and whole", 60, node_state("node-b", "InService")),
        Expectation("no mark of the fence is left on it", 60, untainted("node-b")),
        Expectation("the pair is Redundant: either server can be lost", 60, pair_is("Redundant")),
        Expectation("a crash would be survived again", 60, pair_is("FailoverReady")),
        Expectation("all VMs run on node-a and are Protected", 60, vms_run(*VMS, on="node-a", protected=True)),
    ),
    kubectl("get", "pair,pvm"),
)

SUMMARY = Step(
    "What happened",
    Say("Nobody had to act but the technician with the power supply. The operator has written down all that it did."),
    Show(tables.actions),
    Show(tables.downtime),
    Say("The operator cannot look into a dead server: it counts from when the other server heard it no more."),
    Expect(
        Expectation("the pair is Redundant", 1, pair_is("Redundant")),
        Expectation("all VMs run and are Protected", 1, vms_run(*VMS, on="node-a", protected=True)),
    ),
)

STORY: Sequence[Step] = (
    CLUSTER,
    OPERATOR_STARTS,
    PLACED,
    POWER_SUPPLY,
    GUEST_CRASHES,
    POWER_CUT,
    REJOINS,
    SUMMARY,
)
