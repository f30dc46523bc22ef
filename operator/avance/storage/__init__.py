"""What replicated storage says of the copies of the VMs' disks: LINSTOR, Longhorn, the nodes' own detectors."""
