//! A store whose operations are timed and counted, for the metrics.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
};

use crate::session::{
    ActiveSession, Created, EndOutcome, EndedSession, HandlePrefix, Listing, NewSession, Selection,
    SessionHandle, SessionId, SessionStore, StoreError, StoreStats, WriteOutcome,
};

/// The upper bounds of what histograms count, in seconds: from a tenth of a millisecond, which a local store takes, to
/// beyond what a request may wait.
pub(crate) const DURATIONS: [f64; 14] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
];

/// Does what the store does, and counts it.
#[derive(Debug)]
pub(crate) struct Measured {
    store: Arc<dyn SessionStore>,
    operations: Operations,
    errors: Errors,
    in_progress: IntGauge,
}

/// How long each took.
#[derive(Debug)]
struct Operations {
    create: Histogram,
    touch: Histogram,
    peek: Histogram,
    list: Histogram,
    delete: Histogram,
    delete_of_user: Histogram,
    ended: Histogram,
    write: Histogram,
    check: Histogram,
}

/// How often each happened.
#[derive(Debug)]
struct Errors {
    timeout: IntCounter,
    unreachable: IntCounter,
    failed: IntCounter,
    unreadable: IntCounter,
}

impl Measured {
    pub(crate) fn new(
        store: Arc<dyn SessionStore>,
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let durations = HistogramVec::new(
            HistogramOpts::new(
                "innkeeper_store_operation_duration_seconds",
                "How long the operations of the session store took, failed ones too.",
            )
            .buckets(DURATIONS.to_vec()),
            &["operation"],
        )?;
        let errors = IntCounterVec::new(
            Opts::new(
                "innkeeper_store_errors_total",
                "Operations of the session store that failed.",
            ),
            &["kind"],
        )?;
        let in_progress = IntGauge::new(
            "innkeeper_store_operations_in_progress",
            "Operations of the session store under way.",
        )?;
        registry.register(Box::new(durations.clone()))?;
        registry.register(Box::new(errors.clone()))?;
        registry.register(Box::new(in_progress.clone()))?;
        let duration = |operation| durations.with_label_values(&[operation]);
        let error = |kind| errors.with_label_values(&[kind]);
        Ok(Self {
            store,
            operations: Operations {
                create: duration("create"),
                touch: duration("touch"),
                peek: duration("peek"),
                list: duration("list"),
                delete: duration("delete"),
                delete_of_user: duration("delete_of_user"),
                ended: duration("ended"),
                write: duration("write"),
                check: duration("check"),
            },
            errors: Errors {
                timeout: error("timeout"),
                unreachable: error("unreachable"),
                failed: error("failed"),
                unreadable: error("unreadable"),
            },
            in_progress,
        })
    }

    async fn measure<T>(
        &self,
        duration: &Histogram,
        operation: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.in_progress.inc();
        let mut under_way = UnderWay {
            begun: Instant::now(),
            duration,
            in_progress: &self.in_progress,
            error: Some(&self.errors.timeout),
        };
        let outcome = operation.await;
        under_way.error = outcome.as_ref().err().map(|error| match error {
            StoreError::Timeout(_) => &self.errors.timeout,
            StoreError::Unreachable(_) => &self.errors.unreachable,
            StoreError::Failed(_) => &self.errors.failed,
            StoreError::Unreadable(_) => &self.errors.unreadable,
        });
        outcome
    }
}

/// An operation under way, counted as it is dropped: one that its request gives up, because its time is over, ends
/// in no other way.
struct UnderWay<'a> {
    begun: Instant,
    duration: &'a Histogram,
    in_progress: &'a IntGauge,
    error: Option<&'a IntCounter>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.in_progress.dec();
        self.duration.observe(self.begun.elapsed().as_secs_f64());
        if let Some(error) = self.error {
            error.inc();
        }
    }
}

#[async_trait]
impl SessionStore for Measured {
    async fn create(&self, new: &NewSession<'_>) -> Result<Created, StoreError> {
        self.measure(&self.operations.create, self.store.create(new))
            .await
    }

    async fn touch(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        self.measure(&self.operations.touch, self.store.touch(id))
            .await
    }

    async fn peek(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        self.measure(&self.operations.peek, self.store.peek(id))
            .await
    }

    async fn list(
        &self,
        user: &str,
        reader: Option<&SessionId>,
    ) -> Result<Listing<(SessionHandle, ActiveSession)>, StoreError> {
        self.measure(&self.operations.list, self.store.list(user, reader))
            .await
    }

    /// Not measured: only operators ask for it, who scrape nothing.
    async fn restore_lists(&self, users: &[String]) -> Result<(), StoreError> {
        self.store.restore_lists(users).await
    }

    async fn delete(
        &self,
        id: &SessionId,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
        self.measure(&self.operations.delete, self.store.delete(id, why))
            .await
    }

    async fn delete_of_user(
        &self,
        user: &str,
        selection: Selection,
        why: &EndedSession,
    ) -> Result<EndOutcome, StoreError> {
        self.measure(
            &self.operations.delete_of_user,
            self.store.delete_of_user(user, selection, why),
        )
        .await
    }

    /// Not measured: only operators ask for it, who scrape nothing.
    async fn delete_by_handle(
        &self,
        handle: SessionHandle,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
        self.store.delete_by_handle(handle, why).await
    }

    /// Not measured either, nor are the next two.
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
        self.measure(&self.operations.ended, self.store.ended(id))
            .await
    }

    async fn write(
        &self,
        id: &SessionId,
        field: &str,
        value: Option<&str>,
        limit: usize,
    ) -> Result<WriteOutcome, StoreError> {
        let operation = self.store.write(id, field, value, limit);
        self.measure(&self.operations.write, operation).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.measure(&self.operations.check, self.store.check())
            .await
    }

    fn is_full(&self) -> bool {
        self.store.is_full()
    }

    fn is_lost(&self) -> bool {
        self.store.is_lost()
    }

    /// Not measured: it is asked for the metrics themselves.
    async fn stats(&self) -> StoreStats {
        self.store.stats().await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
