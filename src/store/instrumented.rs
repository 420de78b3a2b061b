//! A wrapper around a store that times and counts its operations, for the metrics.

use std::sync::Arc;

use async_trait::async_trait;
use prometheus::{
    HistogramTimer, HistogramVec, IntCounterVec, IntGauge, Registry,
    register_histogram_vec_with_registry, register_int_counter_vec_with_registry,
    register_int_gauge_with_registry,
};

use crate::session::{
    ActiveSession, Created, EndOutcome, EndedSession, HandlePrefix, Listing, NewSession, Selection,
    SessionHandle, SessionId, SessionStore, StoreError, StoreStats, WriteOutcome,
};

/// The upper bounds of the histograms' buckets, in seconds: from the time of an embedded read to more than a request
/// may wait.
pub(crate) const LATENCY_BUCKETS: [f64; 14] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
];

const OPERATIONS: [&str; 10] = [
    "create",
    "touch",
    "peek",
    "list",
    "delete",
    "delete_of_user",
    "ended",
    "write",
    "write_others",
    "check",
];

const ERROR_KINDS: [&str; 4] = ["timeout", "unreachable", "failed", "unreadable"];

/// Times and counts the operations of requests. Those of operators and of the metrics are only passed on.
#[derive(Debug)]
pub(crate) struct InstrumentedStore {
    store: Arc<dyn SessionStore>,
    durations: HistogramVec,
    errors: IntCounterVec,
    in_progress: IntGauge,
}

impl InstrumentedStore {
    pub(crate) fn new(
        store: Arc<dyn SessionStore>,
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let durations = register_histogram_vec_with_registry!(
            "innkeeper_store_operation_duration_seconds",
            "How long the operations of the session store took, failed ones too.",
            &["operation"],
            LATENCY_BUCKETS.to_vec(),
            registry
        )?;
        let errors = register_int_counter_vec_with_registry!(
            "innkeeper_store_errors_total",
            "Operations of the session store that failed.",
            &["kind"],
            registry
        )?;
        let in_progress = register_int_gauge_with_registry!(
            "innkeeper_store_operations_in_progress",
            "Operations of the session store under way.",
            registry
        )?;
        // So that the first scrape shows each, at zero.
        for operation in OPERATIONS {
            durations.with_label_values(&[operation]);
        }
        for kind in ERROR_KINDS {
            errors.with_label_values(&[kind]);
        }
        Ok(Self {
            store,
            durations,
            errors,
            in_progress,
        })
    }

    async fn measure<T>(
        &self,
        operation: &str,
        outcome: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.in_progress.inc();
        let mut running = Running {
            store: self,
            error: Some("timeout"),
            _timer: self.durations.with_label_values(&[operation]).start_timer(),
        };
        let outcome = outcome.await;
        running.error = outcome.as_ref().err().map(|error| match error {
            StoreError::Timeout(_) => "timeout",
            StoreError::Unreachable(_) => "unreachable",
            StoreError::Failed(_) => "failed",
            StoreError::Unreadable(_) => "unreadable",
        });
        outcome
    }
}

/// An operation in progress. Its drop counts it, because a request drops it half-way at its deadline; the drop of the
/// timer observes the duration.
struct Running<'a> {
    store: &'a InstrumentedStore,
    error: Option<&'static str>,
    _timer: HistogramTimer,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.store.in_progress.dec();
        if let Some(kind) = self.error {
            self.store.errors.with_label_values(&[kind]).inc();
        }
    }
}

#[async_trait]
impl SessionStore for InstrumentedStore {
    async fn create(&self, new: &NewSession<'_>) -> Result<Created, StoreError> {
        self.measure("create", self.store.create(new)).await
    }

    async fn touch(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        self.measure("touch", self.store.touch(id)).await
    }

    async fn peek(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        self.measure("peek", self.store.peek(id)).await
    }

    async fn list(
        &self,
        user: &str,
        reader: Option<&SessionId>,
    ) -> Result<Listing<(SessionHandle, ActiveSession)>, StoreError> {
        self.measure("list", self.store.list(user, reader)).await
    }

    async fn restore_lists(&self, users: &[String]) -> Result<(), StoreError> {
        self.store.restore_lists(users).await
    }

    async fn delete(
        &self,
        id: &SessionId,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
        self.measure("delete", self.store.delete(id, why)).await
    }

    async fn delete_of_user(
        &self,
        user: &str,
        selection: Selection,
        why: &EndedSession,
    ) -> Result<EndOutcome, StoreError> {
        let delete = self.store.delete_of_user(user, selection, why);
        self.measure("delete_of_user", delete).await
    }

    async fn delete_by_handle(
        &self,
        handle: SessionHandle,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
        self.store.delete_by_handle(handle, why).await
    }

    async fn list_all(
        &self,
        found: &mut (dyn FnMut(SessionHandle, ActiveSession) + Send),
    ) -> Result<(), StoreError> {
        self.store.list_all(found).await
    }

    async fn find(
        &self,
        prefix: HandlePrefix,
    ) -> Result<Vec<(SessionHandle, ActiveSession)>, StoreError> {
        self.store.find(prefix).await
    }

    async fn delete_all(&self, why: &EndedSession) -> Result<EndOutcome, StoreError> {
        self.store.delete_all(why).await
    }

    async fn ended(&self, id: &SessionId) -> Result<Option<EndedSession>, StoreError> {
        self.measure("ended", self.store.ended(id)).await
    }

    async fn write(
        &self,
        id: &SessionId,
        field: &str,
        value: Option<&str>,
        limit: usize,
    ) -> Result<WriteOutcome, StoreError> {
        let write = self.store.write(id, field, value, limit);
        self.measure("write", write).await
    }

    async fn write_others(
        &self,
        user: &str,
        except: &SessionId,
        field: &str,
        value: &str,
    ) -> Result<usize, StoreError> {
        let write = self.store.write_others(user, except, field, value);
        self.measure("write_others", write).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.measure("check", self.store.check()).await
    }

    fn is_full(&self) -> bool {
        self.store.is_full()
    }

    fn is_lost(&self) -> bool {
        self.store.is_lost()
    }

    async fn stats(&self) -> StoreStats {
        self.store.stats().await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
