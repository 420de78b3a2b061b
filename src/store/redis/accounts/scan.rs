//! Finds all accounts, for an operator.

use std::ops::ControlFlow;

use deadpool_redis::redis::{Cmd, cmd};

use super::record::account_of;
use crate::account::Account;
use crate::session::StoreError;
use crate::store::redis::connection::nodes::Node;
use crate::store::redis::keys::{ACCOUNT_PREFIX, account_key, parse_account_key};
use crate::store::redis::sessions::scan::SCAN_COUNT;
use crate::store::redis::sessions::server_time::Time;
use crate::store::redis::sessions::store::RedisStore;
use crate::user_name::UserName;

impl RedisStore {
    /// Goes on until `found` breaks it off. Each step has as long as a request. A server that does not answer does not hide the
    /// accounts on the others; then this fails at the end.
    pub(super) async fn scan_accounts(
        &self,
        found: &mut (dyn FnMut(UserName, Account) -> ControlFlow<()> + Send),
    ) -> Result<(), StoreError> {
        let nodes = self.client.with_timeout(self.client.nodes()).await?;
        let mut outcome = Ok(());
        for node in nodes {
            match self.scan_node(&node, found).await {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Ok(()),
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    async fn scan_node(
        &self,
        node: &Node,
        found: &mut (dyn FnMut(UserName, Account) -> ControlFlow<()> + Send),
    ) -> Result<ControlFlow<()>, StoreError> {
        let mut cursor = 0_u64;
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(cursor)
                .arg("MATCH")
                .arg(format!("{ACCOUNT_PREFIX}*"));
            scan.arg("COUNT").arg(SCAN_COUNT);
            let (next, keys): (u64, Vec<Vec<u8>>) = self.client.query_node(node, &scan).await?;
            if !keys.is_empty() {
                let time: Time = self.client.query_node(node, &cmd("TIME")).await?;
                let read = self.read_accounts(&keys, time, found);
                if self.client.with_timeout(read).await?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if next == 0 {
                return Ok(ControlFlow::Continue(()));
            }
            cursor = next;
        }
    }

    async fn read_accounts(
        &self,
        keys: &[Vec<u8>],
        time: Time,
        found: &mut (dyn FnMut(UserName, Account) -> ControlFlow<()> + Send),
    ) -> Result<ControlFlow<()>, StoreError> {
        let users: Vec<_> = keys
            .iter()
            .filter_map(|key| parse_account_key(key))
            .collect();
        let get = users
            .iter()
            .map(|user| vec![Cmd::hgetall(account_key(user))]);
        let answers = self.query_each(get.collect()).await?;
        for (user, answers) in users.into_iter().zip(answers) {
            if let Some(account) = account_of(answers?, time)?
                && found(user, account).is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
