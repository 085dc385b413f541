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


@contextlib.contextmanager
def nodes(count, cores=1):
    """Starts `count` nodes of `cores` cores each. The first is the head, which examines nothing."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": MEMORY})
    try:
        for _ in range(count):
            cluster.add_node(num_cpus=cores, object_store_memory=MEMORY)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        cluster.shutdown()
