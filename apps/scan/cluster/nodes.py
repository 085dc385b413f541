# SPDX-License-Identifier: MIT OR Apache-2.0
"""Ray nodes on this machine's loopback interface, for the demo and the tests."""

import contextlib
import os

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# Set before the cluster starts, as its processes inherit them: a node that dies is noticed within seconds.
os.environ.setdefault("RAY_health_check_period_ms", "1000")
os.environ.setdefault("RAY_health_check_failure_threshold", "3")

from ray.cluster_utils import Cluster  # noqa: E402

MEMORY = 100 * 2**20  # of a node's object store; tasks and answers are small
TRIES = 3  # on a busy machine, a node may not start within the 30 s that Ray gives it


@contextlib.contextmanager
def nodes(count, cores=1):
    """Starts `count` nodes of `cores` cores each. The first is the head, which examines nothing."""
    cluster = Cluster()
    try:
        add_node(cluster, cores=0)
        for _ in range(count):
            add_node(cluster, cores)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        cluster.shutdown()


def add_node(cluster, cores=1):
    """Starts another node. The first one of a cluster is its head."""
    for tries_left in reversed(range(TRIES)):
        try:
            return cluster.add_node(num_cpus=cores, object_store_memory=MEMORY)
        except Exception:  # Ray has none of its own for this
            if not tries_left:
                raise
