"""Everything that avance asks of KubeVirt: one VirtualMachine for each ProtectedVM, migrations, starts and stops."""
