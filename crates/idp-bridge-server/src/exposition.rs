//! The metrics as text (OpenMetrics 1.0), and their documentation.
//!
//! Values are read when they are requested: a tenant that a reload removes has no series any more.

mod samples;
mod series;

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::registry::{Registry, Unit};

use self::samples::Samples;
use self::series::{Kind, SERIES, Series};
use crate::state::ServerState;

/// The media type of [`render`].
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Collects the values of a server's metrics.
struct ServerCollector(Arc<ServerState>);

impl fmt::Debug for ServerCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerCollector")
    }
}

impl Collector for ServerCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for series in SERIES {
            let help = format!("{}.", series.help);
            let unit = series.is_in_seconds.then_some(Unit::Seconds);
            let encoder = encoder.encode_descriptor(series.name, &help, unit.as_ref(), series.metric_type())?;
            match series.kind {
                // There is one histogram.
                Kind::Histogram => self.0.telemetry.metrics.durations.encode(encoder)?,
                Kind::Counter | Kind::Gauge => (series.collect)(&self.0, &mut Samples::new(encoder, series.labels))?,
            }
        }
        Ok(())
    }
}

/// Returns the metrics of a server.
pub(crate) fn render(state: &Arc<ServerState>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(ServerCollector(Arc::clone(state))));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

/// The beginning of the page of metrics.
const INTRODUCTION: &str = "\
# Metrics

`idp-bridge schema metrics` generates this page.
`/metrics` on `server.metrics_listen` has these metrics in the text format of OpenMetrics; [operating.md](operating.md#metrics) describes their use.
A counter of a tenant appears with its first event.
";

/// Returns the page of all metrics, in Markdown.
pub fn metrics_page() -> String {
    let row = |series: &Series| {
        let labels: Vec<_> = series.labels.iter().map(|label| format!("`{label}`")).collect();
        let name = series.full_name();
        format!("| `{name}` | {} | {} | {} |\n", series.kind.as_str(), labels.join(", "), series.help)
    };
    let rows: String = SERIES.iter().map(row).collect();
    format!("{INTRODUCTION}\n| Name | Type | Labels | Meaning |\n|---|---|---|---|\n{rows}")
}
