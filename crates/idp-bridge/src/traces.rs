//! The export of traces to a collector (OTLP).
//!
//! A request's spans are made of its record when it ends, and a thread of the exporter sends them. A collector that is slow or
//! unavailable loses spans, and no call waits for it.

mod collector;
mod spans;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use idp_bridge_server::{CallRecord, RequestSpan, SpanCounts, TraceExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanExporter as ExportSpans, SpanProcessor,
};

use self::collector::{Collector, connect};
use crate::config::{Problem, Traces};

/// The maximum number of spans that wait to be sent, about 4 MB.
const MAX_QUEUED: usize = 8_192;
/// The maximum number of spans in a request to the collector.
const MAX_BATCH: usize = 512;
/// The longest time until spans are sent.
const DELAY: Duration = Duration::from_secs(1);
/// The time limit for the last spans when the bridge stops.
const FLUSH: Duration = Duration::from_secs(2);

/// Sends spans to a collector.
pub(crate) struct SpanQueue {
    processor: BatchSpanProcessor,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    /// All spans so far.
    accepted: AtomicU64,
    exported: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    /// Whether the last request failed.
    is_unavailable: AtomicBool,
    /// Whether the last request's spans did not fit the queue.
    is_full: AtomicBool,
}

impl SpanQueue {
    /// Starts the thread that sends spans. Needs a runtime, which runs the connections of gRPC.
    pub(crate) fn start(settings: &Traces) -> Result<Self, Problem> {
        let counters = Arc::new(Counters::default());
        let exporter = CountingExporter { collector: connect(settings)?, counters: Arc::clone(&counters) };
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(MAX_QUEUED)
            .with_max_export_batch_size(MAX_BATCH)
            .with_scheduled_delay(DELAY)
            .build();
        let mut processor = BatchSpanProcessor::new(exporter, config);
        let resource = Resource::builder_empty()
            .with_service_name(settings.service_name.clone())
            .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        processor.set_resource(&resource.build());
        Ok(Self { processor, counters })
    }

    /// Sends the queued spans, for at most [`FLUSH`]. Later ones are lost.
    pub(crate) fn stop(&self) {
        if let Err(error) = self.processor.shutdown_with_timeout(FLUSH) {
            tracing::warn!(%error, "the last spans may be lost, since the collector of traces does not accept them");
        }
    }
}

impl TraceExporter for SpanQueue {
    fn export(&self, record: &CallRecord, span: RequestSpan) {
        let spans = spans::from_record(record, span);
        if self.counters.reserve(spans.len()) {
            spans.into_iter().for_each(|span| self.processor.on_end(span));
        }
    }

    fn counts(&self) -> SpanCounts {
        let [exported, failed, dropped] =
            [&self.counters.exported, &self.counters.failed, &self.counters.dropped].map(|count| count.load(Relaxed));
        SpanCounts { exported, failed, dropped }
    }
}

impl Counters {
    /// Reserves space in the queue for all spans of a request, or counts them as dropped: half of a trace would mislead.
    fn reserve(&self, spans: usize) -> bool {
        let spans = spans as u64;
        let sent = self.exported.load(Relaxed) + self.failed.load(Relaxed);
        let accepted = self.accepted.fetch_add(spans, Relaxed);
        let fits = accepted.saturating_sub(sent) + spans <= MAX_QUEUED as u64;
        if !fits {
            self.accepted.fetch_sub(spans, Relaxed);
            self.dropped.fetch_add(spans, Relaxed);
        }
        if !self.is_full.swap(!fits, Relaxed) && !fits {
            tracing::warn!("spans are dropped, since the collector of traces is too slow");
        }
        fits
    }

    /// Counts the spans of a request to the collector. The log has the beginning and the end of an outage.
    fn count_sent(&self, spans: usize, result: &OTelSdkResult) {
        let count = if result.is_ok() { &self.exported } else { &self.failed };
        count.fetch_add(spans as u64, Relaxed);
        if self.is_unavailable.swap(result.is_err(), Relaxed) != result.is_err() {
            match result {
                Ok(()) => tracing::info!("the collector of traces accepts spans again"),
                Err(error) => {
                    tracing::warn!(%error, "spans are lost, since the collector of traces does not accept them")
                }
            }
        }
    }
}

/// Counts the spans that are sent.
#[derive(Debug)]
struct CountingExporter {
    collector: Collector,
    counters: Arc<Counters>,
}

impl ExportSpans for CountingExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.collector.export(batch).await;
        self.counters.count_sent(spans, &result);
        result
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.collector.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_sdk::error::OTelSdkError;

    use super::*;

    #[test]
    fn trace_that_does_not_fit_is_dropped() {
        let counters = Counters::default();
        assert!(counters.reserve(MAX_QUEUED - 1));
        assert!(!counters.reserve(2));
        assert!(counters.reserve(1));
        assert_eq!(counters.dropped.load(Relaxed), 2);
        counters.count_sent(MAX_BATCH, &Ok(()));
        counters.count_sent(MAX_BATCH, &Err(OTelSdkError::AlreadyShutdown));
        assert!(counters.reserve(2 * MAX_BATCH), "sent spans make room");
        let [exported, failed] = [&counters.exported, &counters.failed].map(|count| count.load(Relaxed));
        assert_eq!([exported, failed], [MAX_BATCH as u64; 2]);
    }
}
