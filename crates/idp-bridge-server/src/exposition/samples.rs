//! Writes the samples of one metric.

use std::fmt;

use prometheus_client::encoding::{MetricEncoder, NoLabelSet};

/// Writes the samples of one metric, with the labels that it is documented with.
pub(super) struct Samples<'a> {
    encoder: MetricEncoder<'a>,
    labels: &'static [&'static str],
}

impl<'a> Samples<'a> {
    pub(super) fn new(encoder: MetricEncoder<'a>, labels: &'static [&'static str]) -> Self {
        Self { encoder, labels }
    }

    /// Writes a counter with these label values, in the order of the labels.
    pub(super) fn counter(&mut self, values: &[&str], value: u64) -> fmt::Result {
        let labels = self.labels(values);
        self.encoder.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// Writes a gauge with these label values, in the order of the labels.
    pub(super) fn gauge(&mut self, values: &[&str], value: i64) -> fmt::Result {
        let labels = self.labels(values);
        self.encoder.encode_family(&labels)?.encode_gauge(&value)
    }

    /// Writes a gauge without labels.
    pub(super) fn size(&mut self, value: usize) -> fmt::Result {
        self.encoder.encode_gauge(&i64::try_from(value).unwrap_or(i64::MAX))
    }

    /// Writes a counter without labels.
    pub(super) fn total(&mut self, value: u64) -> fmt::Result {
        self.encoder.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    fn labels<'v>(&self, values: &[&'v str]) -> Vec<(&'static str, &'v str)> {
        debug_assert_eq!(self.labels.len(), values.len(), "{:?}", self.labels);
        self.labels.iter().copied().zip(values.iter().copied()).collect()
    }
}
