//! A Redis Cluster of the test's own.

use deadpool_redis::redis::Value;

use super::eventually;
use super::redis::RedisServer;

/// Three primaries, and a replica of the first.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<RedisServer>,
}

const SLOTS: u16 = 16384;

impl Cluster {
    pub(crate) fn start() -> Self {
        let settings = [
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "1000",
            "--repl-diskless-sync-delay",
            "0",
        ];
        let cluster = Self {
            nodes: (0..4).map(|_| RedisServer::with(&settings)).collect(),
        };
        for (place, share) in (0..3).zip([0..5461, 5461..10923, 10923..SLOTS]) {
            let slots: Vec<_> = share.map(|slot| slot.to_string()).collect();
            cluster.nodes[place].run::<()>(&format!("CLUSTER ADDSLOTS {}", slots.join(" ")));
        }
        for (place, node) in cluster.nodes.iter().enumerate() {
            node.run::<()>(&format!("CLUSTER SET-CONFIG-EPOCH {}", place + 1));
        }
        for node in &cluster.nodes[1..] {
            let first = cluster.nodes[0].port();
            node.run::<()>(&format!("CLUSTER MEET 127.0.0.1 {first}"));
        }
        eventually("the nodes to know one another", || {
            cluster
                .nodes
                .iter()
                .all(|node| {
                    let info: String = node.run("CLUSTER INFO");
                    info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:4")
                })
                .then_some(())
        });
        let primary = cluster.id(0);
        cluster.nodes[3].run::<()>(&format!("CLUSTER REPLICATE {primary}"));
        eventually("the replica to follow", || {
            let info: String = cluster.nodes[3].run("INFO replication");
            info.contains("master_link_status:up").then_some(())
        });
        // The others must know by gossip who could take the first one's place.
        eventually("everybody to know the replica", || {
            cluster
                .nodes
                .iter()
                .all(|node| node.run::<String>("CLUSTER NODES").contains("slave"))
                .then_some(())
        });
        cluster
    }

    /// For Innkeeper, naming two of the nodes.
    pub(crate) fn url(&self) -> String {
        self.url_of(1, &[2])
    }

    /// The same, naming these.
    pub(crate) fn url_of(&self, first: usize, others: &[usize]) -> String {
        let first = self.nodes[first].address();
        let others: Vec<_> = others
            .iter()
            .map(|other| format!("node={}", self.nodes[*other].address()))
            .collect();
        format!(
            "redis-cluster://innkeeper:least@{first}?{}",
            others.join("&")
        )
    }

    /// From here on nobody takes the place of a node that is silent for less than a minute.
    pub(crate) fn promote_nobody(&self) {
        for node in &self.nodes {
            node.run::<()>("CONFIG SET cluster-node-timeout 60000");
        }
    }

    fn id(&self, node: usize) -> String {
        self.nodes[node].run("CLUSTER MYID")
    }

    /// The primary among the first three that has the key's slot, and the slot.
    pub(crate) fn place_of(&self, key: &str) -> (usize, u16) {
        let slot: u16 = self.nodes[0].run(&format!("CLUSTER KEYSLOT {key}"));
        let first = match slot {
            0..5461 => 0,
            5461..10923 => 1,
            _ => 2,
        };
        (first, slot)
    }

    /// Opens the slot's way to another node.
    pub(crate) fn begin_move(&self, slot: u16, from: usize, to: usize) {
        let (giver, taker) = (self.id(from), self.id(to));
        self.nodes[to].run::<()>(&format!("CLUSTER SETSLOT {slot} IMPORTING {giver}"));
        self.nodes[from].run::<()>(&format!("CLUSTER SETSLOT {slot} MIGRATING {taker}"));
    }

    /// Sends all keys of the slot there.
    pub(crate) fn move_keys(&self, slot: u16, from: usize, to: usize) {
        let keys: Vec<String> = self.nodes[from].run(&format!("CLUSTER GETKEYSINSLOT {slot} 100"));
        let port = self.nodes[to].port();
        for key in keys {
            let command = format!("MIGRATE 127.0.0.1 {port} {key} 0 5000");
            self.nodes[from].run::<Value>(&command);
        }
    }

    pub(crate) fn end_move(&self, slot: u16, to: usize) {
        let taker = self.id(to);
        for node in [to, 0, 1, 2] {
            self.nodes[node].run::<()>(&format!("CLUSTER SETSLOT {slot} NODE {taker}"));
        }
    }

    /// Until the first primary's replica is in its place, and all others have heard of it: before that they refuse
    /// everything.
    pub(crate) fn wait_for_promotion(&self) {
        eventually("the replica to be promoted", || {
            let info: String = self.nodes[3].try_run("INFO replication").ok()?;
            info.contains("role:master").then_some(())
        });
        for node in &self.nodes[1..] {
            eventually("a node to hear of the promotion", || {
                let info: String = node.try_run("CLUSTER INFO").ok()?;
                info.contains("cluster_state:ok").then_some(())
            });
        }
    }
}
